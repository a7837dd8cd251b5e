"""A table of ours whose rows are work that waits, handled as facts are: in batches, once, no corp stops another.

The table needs `corp_id text`, an ascending id (`generated always as identity`) and the primary key (corp_id, id).
Whoever makes work inserts a row in the transaction of the change, and wakes the loop after its commit.

    queue = service.work_queue("attribution", "attribution_marks", attribution.handle, key="mark_id", interval=0.5)
    service.consume(*durables, wakes=(queue,))

`handle(tx, rows)` gets rows of several corps, ordered by (corp, id), and does their work in `tx`; they are deleted in
the same transaction. It must be able to handle any part of a batch by itself. Its errors:

    outage                    raised to the loop, which backs off; nothing is lost
    time-out, twice           the batch is halved
    any other                 halved until the culprit stands alone; that row goes to the dead letters with its reason
                              and is put back into the table by a replay
    ten culprits in a row     the corp is parked: its rows stay in the table and are passed over until its release
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from chassis import dead_letters, metrics
from chassis.batches import Batches
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.parking import Parking
from chassis.pool import Connection, Row, is_timeout, is_transient

SUBJECT = "queue."
BATCH = 1000

Key = tuple[str, int]  # corp, id
QueueHandler = Callable[[Tx, Sequence[Row]], Awaitable[None]]

TAKE = Path(__file__).with_name("take_queue_rows.sql").read_text()

TAKE_THESE = """
delete from {table}
where (corp_id, {key}) in (
    select corp_id, {key}
    from {table}
    where (corp_id, {key}) in (select * from unnest($1::text[], $2::bigint[]))
    order by corp_id, {key}
    for update skip locked
)
returning *
"""

# One row, as JSON of PostgreSQL's own making.
REMOVE = """
delete from {table} as gone
where corp_id = $1 and {key} = $2
returning to_jsonb(gone)
"""

PUT_BACK = """
insert into {table} overriding system value
select *
from jsonb_populate_record(null::{table}, $1::jsonb)
on conflict do nothing
"""


class WorkQueue:
    """`work` fits a Loop: it takes up to `batch` rows and returns how many, 0 when no more wait."""

    def __init__(
        self,
        outbox: Outbox,
        parking: Parking,
        name: str,
        table: str,
        handle: QueueHandler,
        *,
        key: str,
        batch: int = BATCH,
    ) -> None:
        self.name = name
        self.table = table
        self._outbox = outbox
        self._parking = parking
        self._lane = parking.lane(name)
        self._handle = handle
        self._key = key
        self._batch = batch
        self._take = TAKE.format(table=table, key=key)
        self._take_these = TAKE_THESE.format(table=table, key=key)
        self._remove = REMOVE.format(table=table, key=key)

    async def work(self) -> int:
        keys: list[Key] = []
        if self._lane.released:
            await self._parking.end_releases(self._lane)
        self._lane.begin()
        try:
            async with self._outbox.transaction() as tx:
                rows = await tx.connection.fetch(self._take, self._batch, sorted(self._lane.parked))
                keys = sorted((row["corp_id"], row[self._key]) for row in rows)
                if rows:
                    await self._handle(tx, self._ordered(rows))
        except Exception as error:
            if not keys or (is_transient(error) and not is_timeout(error)):
                raise
            log.warning("queue_batch_failed", queue=self.name, rows=len(keys), error=dead_letters.detail_of(error))
            await Batches(
                self.name,
                self._commit,
                self._dead_letter,
                corp_of=lambda key: key[0],
                store=self._parking.store,
                outlasts=False,
            ).settle(keys)
        else:
            self._lane.succeeded({corp_id for corp_id, _ in keys})
            self._parking.store.succeeded()
        if not keys:
            return 0
        of_corp = Counter(corp_id for corp_id, _ in keys)
        share = self._batch // len(of_corp)
        return len(keys) if max(of_corp.values()) >= share else 0

    def _ordered(self, rows: Sequence[Row]) -> Sequence[Row]:
        return sorted(rows, key=lambda row: (row["corp_id"], row[self._key]))

    async def _commit(self, keys: Sequence[Key]) -> int:
        """Takes these rows, but for those of a corp that was parked meanwhile or that another replica took."""
        wanted = [key for key in keys if key[0] not in self._lane.parked]
        if not wanted:
            return 0
        async with self._outbox.transaction() as tx:
            rows = await tx.connection.fetch(self._take_these, *map(list, zip(*wanted, strict=True)))
            if rows:
                await self._handle(tx, self._ordered(rows))
        self._lane.succeeded({corp_id for corp_id, _ in wanted})
        return len(rows)

    async def _dead_letter(self, key: Key, error: Exception) -> None:
        corp_id, row_id = key
        reason, detail = dead_letters.reason_of(error), dead_letters.detail_of(error)
        async with self._outbox.pool.acquire() as connection, connection.transaction():
            row: str | None = await connection.fetchval(self._remove, corp_id, row_id)
            if row is None:
                return
            await dead_letters.add(
                connection,
                self.name,
                SUBJECT + self.name,
                {"corp-id": corp_id, "ce-id": str(row_id), "queue-table": self.table},
                row.encode(),
                reason=reason,
                detail=detail,
            )
        metrics.DEAD_LETTERS.labels(self.name, reason).inc()
        log.error("dead_letter", durable=self.name, corp_id=corp_id, row=row_id, reason=reason, detail=detail)
        await self._parking.poisoned(self._lane, corp_id, reason=reason, detail=detail)


async def put_back(connection: Connection, letter: Row) -> None:
    """Gives a dead-lettered row to its queue again."""
    table = await connection.fetchval("select quote_ident($1)", json.loads(letter["headers"])["queue-table"])
    await connection.execute(PUT_BACK.format(table=table), letter["payload"].decode())
