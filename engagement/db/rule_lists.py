"""Lists of welcome rules: of those that apply, and of those that apply no more."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row


def _table(archived: bool) -> str:
    return "archived_welcome_rules" if archived else "welcome_rules"


async def page(
    connection: Connection, corp_id: str, after: str, limit: int, channel_id: str | None, *, archived: bool
) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        f"""
        select *
        from {_table(archived)}
        where corp_id = $1
          and welcome_rule_id > $2
          and ($4::uuid is null or channel_id = $4)
        order by welcome_rule_id
        limit $3
        """,
        corp_id,
        after,
        limit,
        channel_id,
    )
    return rows


async def count(connection: Connection, corp_id: str, limit: int, channel_id: str | None, *, archived: bool) -> int:
    """No further than `limit`."""
    counted: int = await connection.fetchval(
        f"""
        select count(*)
        from (
            select
            from {_table(archived)}
            where corp_id = $1 and ($3::uuid is null or channel_id = $3)
            limit $2
        ) bounded
        """,
        corp_id,
        limit,
        channel_id,
    )
    return counted
