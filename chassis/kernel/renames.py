"""Renamed members: identity says who they are now, and each service that keeps userids remembers it in a table
`staff_renames`. Where that has a column `followed`, what a replica of the release before took is found and followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.facts import Received
from chassis.pool import Connection

Member = tuple[str, str]  # corp, userid


@dataclass(frozen=True, slots=True, order=True)
class Rename:
    at: datetime
    former_userid: str
    userid: str


def known_as(userid: str, at: datetime, renames: Iterable[Rename]) -> str:
    """The present userid of whoever was `userid` at `at`: a function of the set of renames.

    A rename moves what was said of the former userid up to its time; what is said later is of a new member, who took
    the userid that had become free. Each rename counts at most once, so that a circle ends.
    """
    left = sorted(renames)
    while True:
        step = next((one for one in left if one.former_userid == userid and one.at >= at), None)
        if step is None:
            return userid
        left.remove(step)
        userid, at = step.userid, step.at


def renames_in(facts: Iterable[Received]) -> list[tuple[str, Rename]]:
    """Pairs of corp and rename, of identity's StaffRenamed."""
    return [
        (fact.corp_id, Rename(fact.message.at.ToDatetime(UTC), fact.message.former_userid, fact.message.userid))
        for fact in facts
    ]


async def remember(connection: Connection, renames: Iterable[tuple[str, Rename]]) -> None:
    """Pairs of corp and rename; any order and any repetition give the same rows."""
    # An order that fits the keys of all these tables: commerce's leaves the time out.
    rows = sorted({(corp_id, one.former_userid, one.userid, one.at) for corp_id, one in renames})
    await connection.execute(
        """
        insert into staff_renames (corp_id, former_userid, userid, at)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        on conflict do nothing
        """,
        *zip(*rows, strict=True),
    )


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


async def mark_followed(connection: Connection, members: Iterable[Member]) -> None:
    """All renames of these former userids."""
    ordered = sorted(set(members))
    if ordered:
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
            *zip(*ordered, strict=True),
        )


async def onward(connection: Connection, members: Iterable[Member]) -> Mapping[str, Sequence[Rename]]:
    """Corp → the renames of these members and of whoever they became."""
    rows = await connection.fetch(
        """
        with recursive onward as (
            select r.*
            from unnest($1::text[], $2::text[]) as asked (corp_id, userid)
            join staff_renames r on (r.corp_id, r.former_userid) = (asked.corp_id, asked.userid)
            union
            select r.*
            from onward
            join staff_renames r on (r.corp_id, r.former_userid) = (onward.corp_id, onward.userid)
        )
        select corp_id, at, former_userid, userid
        from onward
        """,
        *zip(*sorted(set(members)), strict=True),
    )
    found: dict[str, list[Rename]] = defaultdict(list)
    for row in rows:
        found[row["corp_id"]].append(Rename(row["at"], row["former_userid"], row["userid"]))
    return found
