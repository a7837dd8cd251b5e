"""Facts that a durable has taken: no row twice, so no effect twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from chassis.bus import SEVEN_DAYS
from chassis.facts import Received
from chassis.pool import Connection, Pool

FORGET_ROWS = 5000


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


async def forget_old(pool: Pool, after: timedelta) -> int:
    """Removes some of the rows that no delivery can ask for any more; returns how many.

    Raises ValueError when `after` is no longer than facts live in their stream: their effects would happen again.
    """
    if after.total_seconds() <= SEVEN_DAYS:
        raise ValueError(f"the inbox must outlive the streams' {SEVEN_DAYS / 86400:.0f} days, not {after}")
    status = await pool.execute(
        """
        delete from inbox
        where (corp_id, durable, fact_id) in (
            select corp_id, durable, fact_id
            from inbox
            where taken_at < now() - $1::interval
            order by taken_at
            limit $2
            for update skip locked
        )
        """,
        after,
        FORGET_ROWS,
    )
    return int(status.split()[-1])
