"""Userids that may be one member's, and whether anything followed from a rename."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.renames import Member
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


async def unfollowed(connection: Connection, limit: int) -> list[Member]:
    """Former userids, (corp, userid), of renames that nothing followed from."""
    rows = await connection.fetch(
        """
        select distinct corp_id, former_userid
        from staff_renames
        where not followed
        order by corp_id, former_userid
        limit $1
        """,
        limit,
    )
    return [(row["corp_id"], row["former_userid"]) for row in rows]


async def mark_followed(connection: Connection, members: Sequence[Member]) -> None:
    """All renames of these former userids."""
    if members:
        await connection.execute(
            """
            with unfollowed as (
                select r.corp_id, r.former_userid, r.at, r.userid
                from staff_renames r
                where not r.followed
                  and (r.corp_id, r.former_userid) in (select * from unnest($1::text[], $2::text[]))
                order by r.corp_id, r.former_userid, r.at, r.userid
                for update
            )
            update staff_renames r
            set followed = true
            from unfollowed u
            where (r.corp_id, r.former_userid, r.at, r.userid) = (u.corp_id, u.former_userid, u.at, u.userid)
            """,
            *zip(*sorted(set(members)), strict=True),
        )
