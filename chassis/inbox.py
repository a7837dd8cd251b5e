"""Facts that a durable has taken: no row twice, so no effect twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from nats.js import JetStreamContext

from chassis import bus
from chassis.facts import Received
from chassis.kernel.streams import STREAMS
from chassis.pool import Connection, Pool

FORGET_ROWS = 5000
FORGET = """
    delete from inbox
    where (corp_id, durable, fact_id) in (
        select corp_id, durable, fact_id
        from inbox
        where taken_at < now() - $1::interval
        order by taken_at
        limit $2
        for update skip locked
    )
"""


async def keep(connection: Connection, durable: str, corp_id: str, fact_id: str) -> None:
    """Marks one fact as taken, whether it was or not."""
    await connection.execute(
        """
        insert into inbox (corp_id, durable, fact_id)
        values ($1, $2, $3)
        on conflict do nothing
        """,
        corp_id,
        durable,
        fact_id,
    )


async def keep_new(connection: Connection, durable: str, facts: Sequence[Received]) -> list[Received]:
    """Marks the facts as taken, inside the caller's transaction; returns those that were not yet, each once."""
    rows = await connection.fetch(
        """
        insert into inbox (corp_id, durable, fact_id)
        select corp_id, $1, fact_id
        from unnest($2::text[], $3::text[]) as came (corp_id, fact_id)
        order by corp_id, fact_id
        on conflict do nothing
        returning corp_id, fact_id
        """,
        durable,
        [fact.corp_id for fact in facts],
        [fact.id for fact in facts],
    )
    new = {(row["corp_id"], row["fact_id"]) for row in rows}
    fresh: list[Received] = []
    for fact in facts:
        if (fact.corp_id, fact.id) in new:
            new.discard((fact.corp_id, fact.id))
            fresh.append(fact)
    return fresh


async def forget_old(pool: Pool, js: JetStreamContext, after: timedelta) -> int:
    """Removes some of the rows that no delivery can ask for any more; returns how many.

    Raises ValueError when a stream keeps its facts as long as that: their effects would happen again.
    """
    for stream in STREAMS:
        kept = timedelta(seconds=await bus.max_age(js, stream))
        if not kept or after <= kept:
            raise ValueError(f"the inbox must outlive its streams: {stream} keeps {kept or 'all'}, the inbox {after}")
    status = await pool.execute(FORGET, after, FORGET_ROWS)
    return int(status.split()[-1])


async def forget_since(pool: Pool, durable: str, since: datetime) -> int:
    """Removes what this durable took since then, so that it takes it again; returns how many rows."""
    forgotten = 0
    while True:
        status = await pool.execute(
            """
            delete from inbox
            where (corp_id, durable, fact_id) in (
                select corp_id, durable, fact_id
                from inbox
                where durable = $1 and taken_at >= $2
                limit $3
            )
            """,
            durable,
            since,
            FORGET_ROWS,
        )
        removed = int(status.split()[-1])
        forgotten += removed
        if removed < FORGET_ROWS:
            return forgotten
