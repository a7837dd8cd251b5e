"""Channels and what they brought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from uuid_utils import uuid7

from chassis.paging import SortedPage
from chassis.pool import Connection, Row

DEFAULT_NAME = "自然流量"
FIGURES = Path(__file__).with_name("channel_figures.sql").read_text()


async def ensure_default(connection: Connection, corp_ids: Iterable[str]) -> dict[str, str]:
    """Corp → its default channel, made when missing."""
    ordered = sorted(set(corp_ids))
    found = await _defaults(connection, ordered)
    missing = [corp_id for corp_id in ordered if corp_id not in found]
    if missing:
        await connection.execute(
            """
            insert into channels (corp_id, channel_id, name, is_default)
            select corp_id, channel_id, $3, true
            from unnest($1::text[], $2::uuid[]) as missing (corp_id, channel_id)
            on conflict do nothing
            """,
            missing,
            [str(uuid7()) for _ in missing],
            DEFAULT_NAME,
        )
        found = await _defaults(connection, ordered)
    return found


async def _defaults(connection: Connection, corp_ids: Sequence[str]) -> dict[str, str]:
    rows = await connection.fetch(
        """
        select corp_id, channel_id
        from channels
        where is_default and corp_id = any($1)
        """,
        corp_ids,
    )
    return {row["corp_id"]: row["channel_id"] for row in rows}


async def insert(connection: Connection, corp_id: str, channel_id: str, name: str) -> Row | None:
    """None when the corp has a channel of this name."""
    row: Row | None = await connection.fetchrow(
        """
        insert into channels (corp_id, channel_id, name)
        values ($1, $2, $3)
        on conflict do nothing
        returning *
        """,
        corp_id,
        channel_id,
        name,
    )
    return row


async def get(connection: Connection, corp_id: str, channel_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from channels
        where corp_id = $1 and channel_id = $2
        """,
        corp_id,
        channel_id,
    )
    return row


async def by_id(connection: Connection, corp_id: str, after: str, limit: int) -> Sequence[Row]:
    """All channels of the corp, a page at a time."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from channels
        where corp_id = $1 and channel_id > $2
        order by channel_id
        limit $3
        """,
        corp_id,
        after,
        limit,
    )
    return rows


async def page(
    connection: Connection, corp_id: str, page: SortedPage, *, name: str | None, archived: bool
) -> Sequence[Row]:
    """`name`: a part of it, in any case."""
    rows: Sequence[Row] = await connection.fetch(
        f"""
        select *
        from channels
        where corp_id = $1
          and (archived_at is not null) = $2
          and ($3::text is null or strpos(lower(name), lower($3)) > 0)
          and {page.beyond(page.order_by, "channel_id", 5)}
        order by {page.order(page.order_by, "channel_id")}
        limit $4
        """,
        corp_id,
        archived,
        name,
        page.size,
        *(page.after or ()),
    )
    return rows


async def count(connection: Connection, corp_id: str, limit: int, *, name: str | None, archived: bool) -> int:
    """Counts no further than `limit`."""
    counted: int = await connection.fetchval(
        """
        select count(*)
        from (
            select
            from channels
            where corp_id = $1
              and (archived_at is not null) = $2
              and ($3::text is null or strpos(lower(name), lower($3)) > 0)
            limit $4
        ) bounded
        """,
        corp_id,
        archived,
        name,
        limit,
    )
    return counted


async def lock(connection: Connection, corp_id: str, channel_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from channels
        where corp_id = $1 and channel_id = $2
        for update
        """,
        corp_id,
        channel_id,
    )
    return row


async def change(connection: Connection, corp_id: str, channel_id: str, name: str, archived_at: datetime | None) -> Row:
    """The channel as it shall be, one revision on. Raises UniqueViolationError when another one has the name."""
    row = await connection.fetchrow(
        """
        update channels
        set name = $3,
            archived_at = $4,
            revision = revision + 1,
            -- What others are told goes up with the name alone.
            version = version + (name <> $3)::int
        where corp_id = $1 and channel_id = $2
        returning *
        """,
        corp_id,
        channel_id,
        name,
        archived_at,
    )
    assert row is not None, "the caller holds its lock"
    return row


async def take_unstated(connection: Connection, limit: int) -> Sequence[Row]:
    """Channels whose version others have not been told; from now on they have."""
    rows: Sequence[Row] = await connection.fetch(
        """
        with unstated as (
            select corp_id, channel_id
            from channels
            where stated_version is distinct from version
            order by corp_id, channel_id
            limit $1
            for update skip locked
        )
        update channels c
        set stated_version = c.version
        from unstated u
        where (c.corp_id, c.channel_id) = (u.corp_id, u.channel_id)
        returning c.*
        """,
        limit,
    )
    return rows


async def figures(connection: Connection, corp_id: str, as_of: datetime | None) -> Sequence[Row]:
    """Per channel: customers by their first add, and adds."""
    rows: Sequence[Row] = await connection.fetch(FIGURES, corp_id, as_of)
    return rows


async def fallbacks(connection: Connection, corp_id: str, as_of: datetime | None) -> dict[str, int]:
    rows = await connection.fetch(
        """
        select fallback, count(*) as n
        from touches
        where corp_id = $1
          and fallback is not null
          and kind <> 'CONFIRMED'
          and ($2::timestamptz is null or added_at <= $2)
        group by fallback
        """,
        corp_id,
        as_of,
    )
    return {row["fallback"]: row["n"] for row in rows}
