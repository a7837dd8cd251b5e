"""Whose rows a confined caller sees."""

from __future__ import annotations

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection


async def visible(connection: Connection, corp_id: str, me: str) -> list[str]:
    """The members whose rows `me` sees, themselves among them."""
    rows = await connection.fetch(
        f"""
        select distinct v.userid
        from {visible_staff("staff_places", "$1", "$2::text")} as v (userid)
        """,
        corp_id,
        me,
    )
    return [row["userid"] for row in rows]
