"""Follow events and the relations they make. Every set is sorted by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row
from identity.domain.relations import FollowEvent

Pair = tuple[str, str, str]  # corp, contact, userid
Contact = tuple[str, str]  # corp, contact


@dataclass(frozen=True, slots=True)
class PairEvent:
    """An event of one employee and one contact, `userid` being the employee's present one.

    `said_userid`: the one that the event named, where that is another.
    """

    corp_id: str
    contact_id: str
    userid: str
    event: FollowEvent
    said_userid: str | None = None

    @property
    def pair(self) -> Pair:
        return self.corp_id, self.contact_id, self.userid


@dataclass(frozen=True, slots=True)
class Relation:
    """A row as its events make it."""

    pair: Pair
    alive: bool
    added_at: datetime | None
    ended_at: datetime | None
    version: int


async def add_events(connection: Connection, events: Iterable[PairEvent]) -> set[tuple[str, str]]:
    """Returns (corp, fact) of those that were not there."""
    ordered = sorted(events, key=lambda e: (e.corp_id, e.event.fact_id))
    rows = await connection.fetch(
        """
        insert into follow_events
            (corp_id, fact_id, contact_id, userid, said_userid, kind, by_transfer, state, at)
        select *
        from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::text[],
            $9::timestamptz[])
        on conflict do nothing
        returning corp_id, fact_id
        """,
        [e.corp_id for e in ordered],
        [e.event.fact_id for e in ordered],
        [e.contact_id for e in ordered],
        [e.userid for e in ordered],
        [e.said_userid for e in ordered],
        [e.event.kind for e in ordered],
        [e.event.by_transfer for e in ordered],
        [e.event.state for e in ordered],
        [e.event.at for e in ordered],
    )
    return {(row["corp_id"], row["fact_id"]) for row in rows}


async def lock_pairs(connection: Connection, pairs: Iterable[Pair]) -> dict[Pair, int]:
    """Makes the rows that are missing, and locks all in key order. Returns their versions."""
    columns = list(zip(*sorted(pairs), strict=True))
    await connection.execute(
        """
        insert into relations (corp_id, contact_id, userid)
        select *
        from unnest($1::text[], $2::uuid[], $3::text[])
        on conflict do nothing
        """,
        *columns,
    )
    rows = await connection.fetch(
        """
        select corp_id, contact_id, userid, version
        from relations
        where (corp_id, contact_id, userid) in (select * from unnest($1::text[], $2::uuid[], $3::text[]))
        order by corp_id, contact_id, userid
        for update
        """,
        *columns,
    )
    return {(row["corp_id"], row["contact_id"], row["userid"]): row["version"] for row in rows}


async def events_of(connection: Connection, pairs: Iterable[Pair]) -> list[PairEvent]:
    rows = await connection.fetch(
        """
        select *
        from follow_events
        where (corp_id, contact_id, userid) in (select * from unnest($1::text[], $2::uuid[], $3::text[]))
        """,
        *zip(*sorted(pairs), strict=True),
    )
    return [_event(row) for row in rows]


async def adds_of(connection: Connection, contacts: Iterable[Contact]) -> list[PairEvent]:
    """All adds of the contacts, by whomever."""
    ordered = sorted(contacts)
    if not ordered:
        return []
    rows = await connection.fetch(
        """
        select *
        from follow_events
        where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))
          and kind = 'added'
        """,
        *zip(*ordered, strict=True),
    )
    return [_event(row) for row in rows]


async def misplaced_after(
    connection: Connection, corp_id: str, userids: Sequence[str], renamed: str, after: str, limit: int
) -> list[PairEvent]:
    """Events that a rename of the member `renamed` may move: those under that userid, and those that came to one of
    `userids` by a rename; of `limit` contacts from `after` on, in order."""
    rows = await connection.fetch(
        """
        with due as (
            select distinct contact_id
            from follow_events
            where corp_id = $1
              and userid = any($2)
              and (userid = $3 or said_userid is not null)
              and contact_id > $4
            order by contact_id
            limit $5
        )
        select e.*
        from due
        join follow_events e using (contact_id)
        where e.corp_id = $1
          and e.userid = any($2)
          and (e.userid = $3 or e.said_userid is not null)
        order by e.contact_id, e.fact_id
        """,
        corp_id,
        list(userids),
        renamed,
        after,
        limit,
    )
    return [_event(row) for row in rows]


async def rename_events(connection: Connection, events: Iterable[PairEvent]) -> None:
    """Writes the events' present userids."""
    ordered = sorted(events, key=lambda e: (e.corp_id, e.event.fact_id))
    await connection.execute(
        """
        update follow_events e
        set userid = t.userid, said_userid = t.said_userid
        from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as t(corp_id, fact_id, userid, said_userid)
        where (e.corp_id, e.fact_id) = (t.corp_id, t.fact_id)
        """,
        [e.corp_id for e in ordered],
        [e.event.fact_id for e in ordered],
        [e.userid for e in ordered],
        [e.said_userid for e in ordered],
    )


async def describe_adds(connection: Connection, events: Iterable[PairEvent]) -> None:
    """Writes how the adds came about, and their states."""
    ordered = sorted(events, key=lambda e: (e.corp_id, e.event.fact_id))
    await connection.execute(
        """
        update follow_events e
        set add_way = t.add_way, state = t.state
        from unnest($1::text[], $2::text[], $3::int[], $4::text[]) as t(corp_id, fact_id, add_way, state)
        where (e.corp_id, e.fact_id) = (t.corp_id, t.fact_id)
        """,
        [e.corp_id for e in ordered],
        [e.event.fact_id for e in ordered],
        [e.event.add_way for e in ordered],
        [e.event.state for e in ordered],
    )


async def in_wecoms_list(connection: Connection, corp_id: str, userids: Sequence[str]) -> dict[str, set[str]]:
    """userid → contacts that WeCom's list of this member should have: all added ones, but those the member deleted.

    A customer who deleted the member stays in the list.
    """
    rows = await connection.fetch(
        """
        select userid, contact_id
        from (
            select distinct on (userid, contact_id) userid, contact_id, kind
            from follow_events
            where corp_id = $1
              and userid = any($2)
            order by userid, contact_id, at desc, kind = 'added', fact_id desc
        ) newest
        where kind <> 'deleted_by_staff'
        """,
        corp_id,
        userids,
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["userid"], set()).add(row["contact_id"])
    return found


async def update(connection: Connection, relations: Iterable[Relation]) -> None:
    ordered = sorted(relations, key=lambda r: r.pair)
    await connection.execute(
        """
        update relations r
        set alive = t.alive, added_at = t.added_at, ended_at = t.ended_at, version = t.version
        from unnest($1::text[], $2::uuid[], $3::text[], $4::bool[], $5::timestamptz[], $6::timestamptz[], $7::bigint[])
            as t(corp_id, contact_id, userid, alive, added_at, ended_at, version)
        where (r.corp_id, r.contact_id, r.userid) = (t.corp_id, t.contact_id, t.userid)
        """,
        *zip(*(r.pair for r in ordered), strict=True),
        [r.alive for r in ordered],
        [r.added_at for r in ordered],
        [r.ended_at for r in ordered],
        [r.version for r in ordered],
    )


def _event(row: Row) -> PairEvent:
    event = FollowEvent(
        kind=row["kind"],
        at=row["at"],
        fact_id=row["fact_id"],
        by_transfer=row["by_transfer"],
        state=row["state"],
        add_way=row["add_way"],
    )
    return PairEvent(row["corp_id"], row["contact_id"], row["userid"], event, row["said_userid"])
