"""Members who got another userid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from chassis.kernel.renames import Rename
from chassis.pool import Connection, Row

Member = tuple[str, str]  # corp, userid
Chain: TypeAlias = Sequence[Rename]


async def chains(connection: Connection, members: Iterable[Member]) -> Mapping[Member, Chain]:
    """Member → all renames that may lead on from there; only of those for whom there are any."""
    ordered = sorted(members)
    if not ordered:
        return {}
    rows = await connection.fetch(
        """
        with recursive onward (corp_id, start, userid, at, new_userid) as (
            select corp_id, userid, userid, at, new_userid
            from staff_renames
            where (corp_id, userid) in (select * from unnest($1::text[], $2::text[]))
              and not refused
            union
            select r.corp_id, o.start, r.userid, r.at, r.new_userid
            from onward o
            join staff_renames r on (r.corp_id, r.userid) = (o.corp_id, o.new_userid)
            where not r.refused
        )
        select *
        from onward
        """,
        *zip(*ordered, strict=True),
    )
    found: dict[Member, list[Rename]] = {}
    for row in rows:
        found.setdefault((row["corp_id"], row["start"]), []).append(Rename(row["at"], row["userid"], row["new_userid"]))
    return found


async def formers(connection: Connection, corp_id: str, userid: str, since: datetime) -> Sequence[Rename]:
    """Renames by which others became this member, who had this userid until `since`."""
    rows = await connection.fetch(
        """
        with recursive back (userid, at, new_userid) as (
            select userid, at, new_userid
            from staff_renames
            where corp_id = $1
              and new_userid = $2
              and at <= $3
              and not refused
            union
            select r.userid, r.at, r.new_userid
            from back b
            join staff_renames r on r.corp_id = $1 and r.new_userid = b.userid and r.at <= b.at
            where not r.refused
        )
        select *
        from back
        order by at, userid
        """,
        corp_id,
        userid,
        since,
    )
    return [Rename(row["at"], row["userid"], row["new_userid"]) for row in rows]


async def offer(connection: Connection, corp_id: str, rename: Rename, fact_id: str) -> Row:
    """Keeps the rename as a refused one, where it is new. Returns refused, and fact_id of who first told of it."""
    row = await connection.fetchrow(
        """
        insert into staff_renames as r (corp_id, userid, at, new_userid, fact_id, refused)
        values ($1, $2, $3, $4, $5, true)
        on conflict (corp_id, userid, at, new_userid) do update
        set fact_id = r.fact_id
        returning refused, fact_id
        """,
        corp_id,
        rename.former_userid,
        rename.at,
        rename.userid,
        fact_id,
    )
    assert row is not None, "an upsert always returns its row"
    return row


async def refused_to(connection: Connection, corp_id: str, userid: str, since: datetime) -> Sequence[Row]:
    """Refused renames to this userid, from `since` on."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select at, userid, new_userid, fact_id
        from staff_renames
        where corp_id = $1
          and new_userid = $2
          and at >= $3
          and refused
        order by at, userid
        """,
        corp_id,
        userid,
        since,
    )
    return rows


async def accept(connection: Connection, corp_id: str, rename: Rename) -> None:
    await connection.execute(
        """
        update staff_renames
        set refused = false
        where (corp_id, userid, at, new_userid) = ($1, $2, $3, $4)
        """,
        corp_id,
        rename.former_userid,
        rename.at,
        rename.userid,
    )


async def is_taken(connection: Connection, corp_id: str, rename: Rename, arrived_at: datetime) -> bool:
    """Whether somebody else, whom we had read before, has the new userid and had not given it up by then."""
    return bool(
        await connection.fetchval(
            """
            select exists (
                select
                from staff
                where corp_id = $1
                  and userid = $2
                  and active
                  -- Neither after the rename nor after we were told: that may have been the renamed member.
                  and known_since < least($3::timestamptz, $4::timestamptz)
            )
            and not exists (
                select
                from staff_renames
                where corp_id = $1
                  and userid = $2
                  and at <= $3
                  and not refused
            )
            """,
            corp_id,
            rename.userid,
            rename.at,
            arrived_at,
        )
    )
