"""Pairs of identifiers that somebody has declared to be two people."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row
from identity.domain.customers import Pair


async def add(
    connection: Connection, corp_id: str, separation_id: str, pair: Pair, note: str, declared_by: str
) -> Row | None:
    """None when the pair is declared already."""
    row: Row | None = await connection.fetchrow(
        """
        insert into separations (corp_id, separation_id, a_id, b_id, note, declared_by)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (corp_id, a_id, b_id) where undone_at is null do nothing
        returning *
        """,
        corp_id,
        separation_id,
        *pair,
        note,
        declared_by,
    )
    return row


async def undo(connection: Connection, corp_id: str, separation_id: str, undone_by: str) -> Row | None:
    """Who undid it first stays. None when there is no such separation."""
    row: Row | None = await connection.fetchrow(
        """
        update separations
        set undone_by = coalesce(undone_by, $3), undone_at = coalesce(undone_at, now())
        where corp_id = $1
          and separation_id = $2
        returning *
        """,
        corp_id,
        separation_id,
        undone_by,
    )
    return row


async def page(connection: Connection, corp_id: str, before: str | None, limit: int) -> Sequence[Row]:
    """Newest first; their ids are UUIDv7."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from separations
        where corp_id = $1
          and ($2::uuid is null or separation_id < $2)
        order by separation_id desc
        limit $3
        """,
        corp_id,
        before,
        limit,
    )
    return rows


async def identifiers_named(connection: Connection, corp_id: str, one: str) -> Sequence[Row]:
    """The identifier of this id, or those of the customer who lives under it now: identifier_id and kind."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select identifier_id, kind
        from identifiers
        where corp_id = $1
          and identifier_id = $2
        union all
        select i.identifier_id, i.kind
        from customers c
        join identifiers i on (i.corp_id, i.customer_id) = (c.corp_id, coalesce(c.merged_into, c.customer_id))
        where c.corp_id = $1
          and c.customer_id = $2
        order by 1
        """,
        corp_id,
        one,
    )
    return rows
