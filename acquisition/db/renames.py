"""Userids that may be one member's."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.kernel.renames import Rename
from chassis.pool import Connection


async def of_member(connection: Connection, corp_id: str, userid: str) -> list[str]:
    """The userid and all that renames lead to from it, in either direction: those that two adds of one member may
    have been told under are among them."""
    rows = await connection.fetch(
        """
        with recursive joined (userid) as (
            select $2::text
            union
            select case when r.userid = joined.userid then r.former_userid else r.userid end
            from joined
            join staff_renames r
                on r.corp_id = $1 and (r.former_userid = joined.userid or r.userid = joined.userid)
        )
        select userid
        from joined
        order by userid
        """,
        corp_id,
        userid,
    )
    return [row["userid"] for row in rows]


async def of_members(connection: Connection, corp_id: str, userids: Iterable[str]) -> list[str]:
    """These userids, and all that their members may have been known by before."""
    rows = await connection.fetch(
        """
        with recursive backward as (
            select unnest($2::text[]) as userid
            union
            select r.former_userid
            from backward b
            join staff_renames r on (r.corp_id, r.userid) = ($1, b.userid)
        )
        select userid
        from backward
        order by userid
        """,
        corp_id,
        sorted(userids),
    )
    return [row["userid"] for row in rows]


async def all_of(connection: Connection, corp_id: str) -> list[Rename]:
    rows = await connection.fetch(
        """
        select at, former_userid, userid
        from staff_renames
        where corp_id = $1
        """,
        corp_id,
    )
    return [Rename(row["at"], row["former_userid"], row["userid"]) for row in rows]
