"""Due rows: work at a time, and effects outside that must happen once (rule 6 of the design).

A row is claimed by committing `attempting` with a lease, the call is made under a shorter deadline, and the outcome
is committed. A row whose lease ran out is claimed again with `attempts` above one, which says that an earlier attempt
may have had its effect: each kind decides what that means.
One that fails too often in a row becomes a dead letter (chassis.scheduled_letters).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.pool import Connection, Pool

CALL_SECONDS = 5.0
LEASE_SECONDS = 15.0
# A row that is done is kept while its cause may still be sent again, so that it is not done twice.
KEEP_DAYS = 7


@dataclass(frozen=True, slots=True)
class Job:
    """A row to schedule. `detail` must be JSON and must not hold personal data in the clear."""

    corp_id: str
    key: str
    due_at: datetime
    deadline: datetime | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    corp_id: str
    key: str
    generation: int
    # Rises with each claim of the row: whoever holds an older one has lost it.
    number: int
    # This one among them; not those of which it is known that they made no call, or that it had no effect.
    attempts: int
    deadline: datetime | None
    detail: dict[str, Any]
    # Attempts in a row that raised, or whose worker died.
    failures: int = 0


async def schedule_once(connection: Connection, kind: str, rows: Iterable[Job]) -> None:
    """Schedules effects; a key that was ever scheduled stays as it is."""
    await _insert(connection, kind, rows, "do nothing")


async def schedule_again(connection: Connection, kind: str, rows: Iterable[Job]) -> None:
    """Schedules repeatable work. A row that waits is due at the earlier time; one that is being worked on stays with
    its worker, and is due once more when that one ends."""
    await _insert(
        connection,
        kind,
        rows,
        """
        (corp_id, kind, key) do update
        set generation = due_rows.generation + 1,
            detail = excluded.detail,
            due_at = case when due_rows.status = 'due' then least(due_rows.due_at, excluded.due_at)
                          else excluded.due_at end,
            status = case when due_rows.status = 'attempting' then 'attempting' else 'due' end,
            lease_until = case when due_rows.status = 'attempting' then due_rows.lease_until end,
            attempts = case when due_rows.status = 'attempting' then due_rows.attempts else 0 end,
            failures = 0
        """,
    )


async def _insert(connection: Connection, kind: str, rows: Iterable[Job], on_conflict: str) -> None:
    ordered: Sequence[Job] = sorted({(r.corp_id, r.key): r for r in rows}.values(), key=lambda r: (r.corp_id, r.key))
    if ordered:
        await connection.execute(
            f"""
            insert into due_rows (corp_id, kind, key, due_at, deadline, detail)
            select corp_id, $1, key, due_at, deadline, detail
            from unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::jsonb[])
                as t(corp_id, key, due_at, deadline, detail)
            on conflict {on_conflict}
            """,
            kind,
            [r.corp_id for r in ordered],
            [r.key for r in ordered],
            [r.due_at for r in ordered],
            [r.deadline for r in ordered],
            [json.dumps(r.detail) for r in ordered],
        )


CLAIM = Path(__file__).with_name("claim_due_rows.sql").read_text()


async def claim(pool: Pool, kind: str, limit: int) -> list[Claim]:
    """Takes up to `limit` due rows, or rows whose worker died, for 15 s: as many of each corp, the oldest first.

    May take fewer than there are when corps have unequal numbers: claim again while any come.
    """
    rows = await pool.fetch(CLAIM, kind, limit, LEASE_SECONDS)
    return [
        Claim(
            corp_id=row["corp_id"],
            key=row["key"],
            generation=row["generation"],
            number=row["claim_no"],
            attempts=row["attempts"],
            deadline=row["deadline"],
            detail=json.loads(row["detail"]),
            failures=row["failures"],
        )
        for row in rows
    ]


async def finish(connection: Connection, kind: str, outcomes: Iterable[tuple[Claim, str]]) -> set[tuple[str, str]]:
    """Keeps the rows as done with their outcome; what was asked for again meanwhile is due again.

    Returns the (corp, key) of those that were still ours: a worker that was frozen for longer than its lease finds
    them with somebody else, and must write nothing about them.
    """
    ordered = sorted(outcomes, key=lambda o: (o[0].corp_id, o[0].key))
    if not ordered:
        return set()
    rows = await connection.fetch(
        """
        update due_rows d
        set outcome = t.outcome,
            lease_until = null,
            status = case when d.generation = t.generation then 'done' else 'due' end,
            done_at = case when d.generation = t.generation then now() end,
            attempts = case when d.generation = t.generation then d.attempts else 0 end,
            failures = 0
        from unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[])
            as t(corp_id, key, generation, claim_no, outcome)
        where (d.corp_id, d.kind, d.key) = (t.corp_id, $1, t.key)
          and d.status = 'attempting'
          and d.claim_no = t.claim_no
        returning d.corp_id, d.key
        """,
        kind,
        [c.corp_id for c, _ in ordered],
        [c.key for c, _ in ordered],
        [c.generation for c, _ in ordered],
        [c.number for c, _ in ordered],
        [outcome for _, outcome in ordered],
    )
    return {(row["corp_id"], row["key"]) for row in rows}


async def postpone(
    connection: Connection, kind: str, claims: Iterable[tuple[Claim, datetime]], *, counted: bool = True
) -> None:
    """Gives the rows that are still ours back, each for its time, or for the one it was asked for again meanwhile.

    `counted` False: the attempt surely had no effect outside, and is none.
    """
    ordered = sorted(claims, key=lambda c: (c[0].corp_id, c[0].key))
    if ordered:
        await connection.execute(
            """
            update due_rows d
            set status = 'due',
                lease_until = null,
                failures = 0,
                attempts = d.attempts - (not $7)::int,
                due_at = case when d.generation = t.generation then t.due_at else d.due_at end
            from unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::timestamptz[])
                as t(corp_id, key, generation, claim_no, due_at)
            where (d.corp_id, d.kind, d.key) = (t.corp_id, $1, t.key)
              and d.status = 'attempting'
              and d.claim_no = t.claim_no
            """,
            kind,
            [c.corp_id for c, _ in ordered],
            [c.key for c, _ in ordered],
            [c.generation for c, _ in ordered],
            [c.number for c, _ in ordered],
            [due_at for _, due_at in ordered],
            counted,
        )


@asynccontextmanager
async def held(pool: Pool, kind: str, claim: Claim) -> AsyncIterator[None]:
    """Renews the claim's lease while the work inside takes longer than one."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(Exception):  # an outage ends the lease, and another worker begins anew
                await pool.execute(
                    """
                    update due_rows
                    set lease_until = now() + make_interval(secs => $5)
                    where (corp_id, kind, key) = ($1, $2, $3) and claim_no = $4 and status = 'attempting'
                    """,
                    claim.corp_id,
                    kind,
                    claim.key,
                    claim.number,
                    LEASE_SECONDS,
                )

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()


async def forget_done(pool: Pool) -> int:
    """Deletes rows that were done more than a week ago."""
    status = await pool.execute(
        """
        delete from due_rows
        where status = 'done' and done_at < now() - make_interval(days => $1)
        """,
        KEEP_DAYS,
    )
    return int(status.split()[-1])
