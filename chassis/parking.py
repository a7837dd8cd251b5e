"""No corp stops another: poisons are counted per (durable, corp), and a corp that has nothing else is parked.

A parked corp's facts of that durable are acked and kept beside the dead letters, in their order of arrival; the rows
of a work queue stay in their table and are passed over. The other corps go on. All replicas read the table `parked`
every second, so each knows within two. A release hands what was kept to the handler again, in order.

A bug that hits every corp parks them one after the other. When several corps had many poisons and nothing of any corp
has succeeded since, the handler is at fault: then one poison is enough, so that hundreds of corps cost hundreds of
transactions and not tens of thousands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chassis import metrics
from chassis.dead_letters import MOST_DETAIL, TIMED_OUT
from chassis.errors import Precondition
from chassis.logs import log
from chassis.pool import Connection, Pool, Row
from chassis.store_probe import StoreProbe

POISONS_IN_A_ROW = 10
TIMEOUTS_IN_A_ROW = 3
# So many poisons of so many corps without a success of any: from here on one parks a corp.
STORM_POISONS = 3 * POISONS_IN_A_ROW
STORM_CORPS = 3
REFRESH_SECONDS = 1.0


@dataclass
class Lane:
    """One durable's or queue's part: who is parked, and how many poisons in a row each corp has had here."""

    name: str
    parked: frozenset[str] = frozenset()
    # Corps whose kept facts are to be handled again.
    released: frozenset[str] = frozenset()
    # Counts the changes made here: a reading of the table that began before one of them is dropped.
    changes: int = 0
    # Poisons since the corp's last success; and since the last success of any corp.
    _of_corp: Counter[str] = field(default_factory=Counter)
    _of_all: Counter[str] = field(default_factory=Counter)
    # Facts of the corp that ran out of time; successes when the batch of the first of them began; and until now.
    _slow: Counter[str] = field(default_factory=Counter)
    _slow_since: dict[str, int] = field(default_factory=dict)
    _begun: int = 0
    _successes: int = 0

    def begin(self) -> None:
        """Says that a batch begins."""
        self._begun = self._successes

    def succeeded(self, corp_ids: Iterable[str]) -> None:
        self._successes += 1
        if self._of_all or self._of_corp or self._slow:
            self._of_all.clear()
            for corp_id in corp_ids:
                self._forget(corp_id)

    def poisoned(self, corp_id: str) -> bool:
        """Counts one poison; True when it is time to park the corp."""
        storm = len(self._of_all) >= STORM_CORPS and self._of_all.total() >= STORM_POISONS
        self._of_all[corp_id] += 1
        self._of_corp[corp_id] += 1
        return self._parks(corp_id, storm or self._of_corp[corp_id] >= POISONS_IN_A_ROW)

    def timed_out(self, corp_id: str) -> bool:
        """Counts a poison that ran out of time. Fewer of these park a corp, but only while other corps succeed: a store
        that is slow for everybody is no corp's fault."""
        since = self._slow_since.setdefault(corp_id, self._begun)
        self._slow[corp_id] += 1
        return self._parks(corp_id, self._slow[corp_id] >= TIMEOUTS_IN_A_ROW and self._successes > since)

    def _parks(self, corp_id: str, now: bool) -> bool:
        if now:
            self._forget(corp_id)
        return now

    def _forget(self, corp_id: str) -> None:
        del self._of_corp[corp_id], self._slow[corp_id]
        self._slow_since.pop(corp_id, None)


class Parking:
    """What one process knows about parked corps. `lane` names a durable or a queue; `refresh` fits a Loop."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.store = StoreProbe(pool)
        self._lanes: dict[str, Lane] = {}

    def lane(self, name: str) -> Lane:
        return self._lanes.setdefault(name, Lane(name))

    async def refresh(self) -> int:
        """Reads who is parked and who was released; returns 0, for there is nothing to go on with."""
        before = {lane.name: lane.changes for lane in self._lanes.values()}
        rows = await self.pool.fetch(
            """
            select corp_id, durable, released_at is not null as released
            from parked
            where durable = any($1::text[])
            """,
            list(before),
        )
        for lane in [self._lanes[name] for name, changes in before.items() if self._lanes[name].changes == changes]:
            mine = [row for row in rows if row["durable"] == lane.name]
            lane.parked = frozenset(row["corp_id"] for row in mine if not row["released"])
            lane.released = frozenset(row["corp_id"] for row in mine if row["released"])
            metrics.PARKED_CORPS.labels(lane.name).set(len(lane.parked))
        return 0

    async def end_releases(self, lane: Lane) -> None:
        """For a queue: its rows are still in their table, so a release has nothing more to do."""
        await self.pool.execute(
            """
            delete from parked
            where durable = $1 and corp_id = any($2::text[]) and released_at is not null
            """,
            lane.name,
            sorted(lane.released),
        )
        lane.released = frozenset()

    async def poisoned(self, lane: Lane, corp_id: str, *, reason: str, detail: str) -> None:
        """Counts a poison that was dead-lettered, and parks the corp when it has had too many in a row."""
        if not (lane.timed_out(corp_id) if reason == TIMED_OUT else lane.poisoned(corp_id)):
            return
        lane.parked |= {corp_id}
        lane.released -= {corp_id}
        lane.changes += 1
        async with self.pool.acquire() as connection:
            new = await park(connection, corp_id, lane.name, reason=reason, detail=detail)
            # A reading that ended just before this line did not see the row yet.
            lane.parked |= {corp_id}
            lane.changes += 1
            if new:
                log.error("corp_parked", durable=lane.name, corp_id=corp_id, reason=reason, detail=detail)


async def park(connection: Connection, corp_id: str, durable: str, *, reason: str, detail: str) -> bool:
    """True when the corp was not parked before."""
    parked = await connection.fetchval(
        """
        insert into parked (corp_id, durable, reason, detail)
        values ($1, $2, $3, $4)
        on conflict (corp_id, durable) do update
        set since = now(),
            reason = excluded.reason,
            detail = excluded.detail,
            released_at = null,
            lease_until = null
        where parked.released_at is not null
        returning true
        """,
        corp_id,
        durable,
        reason,
        detail[:MOST_DETAIL],
    )
    return bool(parked)


async def still_parked(connection: Connection, durable: str, corp_ids: Iterable[str]) -> frozenset[str]:
    """Those of the corps that are parked; until the transaction ends nobody releases them."""
    rows = await connection.fetch(
        """
        select corp_id
        from parked
        where durable = $1 and corp_id = any($2::text[]) and released_at is null
        order by corp_id
        for share
        """,
        durable,
        sorted(corp_ids),
    )
    return frozenset(row["corp_id"] for row in rows)


async def page(connection: Connection, corp_id: str | None, durable: str | None = None) -> Sequence[Row]:
    """Who is parked, with the number of facts kept; `corp_id` None: every corp. A released one shows until it ends."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select p.*,
               (
                   select count(*)
                   from dead_letters d
                   where (d.corp_id, d.durable) = (p.corp_id, p.durable) and d.parked and d.replayed_at is null
               ) as kept
        from parked p
        where ($1::text is null or p.corp_id = $1) and ($2::text is null or p.durable = $2)
        order by p.corp_id, p.durable
        """,
        corp_id,
        durable,
    )
    return rows


async def give_up(connection: Connection, corp_id: str, durable: str, limit: int) -> tuple[int, int]:
    """Ends what is kept, the oldest first and at most `limit`; returns how many ended and how many remain.

    Raises Precondition for a handler that is not parked: what is kept for a released one is about to be handled.
    """
    async with connection.transaction():
        # Facts are kept under a shared lock of this row, and a release takes it too.
        parked = await connection.fetchval(
            """
            select true
            from parked
            where (corp_id, durable) = ($1, $2) and released_at is null
            for update
            """,
            corp_id,
            durable,
        )
        if not parked:
            raise Precondition("NOT_PARKED", field="durable", expected="a handler that is parked")
        row = await connection.fetchrow(
            """
            with ended as (
                update dead_letters
                set replayed_at = now(), outcome = 'GIVEN_UP'
                where (corp_id, durable, fact_id) in (
                    select corp_id, durable, fact_id
                    from dead_letters
                    where corp_id = $1 and durable = $2 and parked and replayed_at is null
                    order by position
                    limit $3
                )
                returning fact_id
            )
            select
                (select count(*) from ended) as ended,
                -- As it was before this statement.
                (
                    select count(*)
                    from dead_letters
                    where corp_id = $1 and durable = $2 and parked and replayed_at is null
                ) as kept
            """,
            corp_id,
            durable,
            limit,
        )
    assert row is not None, "a select without a table always returns its row"
    log.warning("parked_facts_given_up", durable=durable, corp_id=corp_id, facts=row["ended"])
    return row["ended"], row["kept"] - row["ended"]


async def release(connection: Connection, corp_id: str | None, durable: str | None = None) -> int:
    """Lets the corp's work go on, what was kept first; returns how many (corp, durable) were parked."""
    rows = await connection.fetch(
        """
        update parked
        set released_at = now()
        where ($1::text is null or corp_id = $1)
          and ($2::text is null or durable = $2)
          and released_at is null
        returning corp_id, durable
        """,
        corp_id,
        durable,
    )
    for row in rows:
        log.warning("corp_released", durable=row["durable"], corp_id=row["corp_id"])
    return len(rows)
