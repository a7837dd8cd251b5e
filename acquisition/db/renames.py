"""Userids that may be one member's."""

from __future__ import annotations

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
