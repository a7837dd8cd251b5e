"""Adds by day, channel and employee, counted from the touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from chassis.kernel.corps import Corp
from chassis.kernel.day_rollup import DayRollup
from chassis.pool import Connection, Row

QUEUE, MARKS = "add-days", "add_day_marks"

ADD_DAYS = DayRollup(
    "add_days",
    {"channel_id": "uuid", "userid": "text"},
    ("adds", "customers"),
    """
    select
        k.corp_id, k.day, k.channel_id, k.userid,
        count(*) as adds,
        count(*) filter (where first.is_first) as customers
    from keys k
    join touches t
        on t.corp_id = k.corp_id
        and t.userid = k.userid
        and t.channel_id = k.channel_id
        and t.added_at >= k.since
        and t.added_at < k.until
        and t.kind <> 'CONFIRMED'
    -- A person is a customer of their first add alone, whichever of their contacts it was made by.
    cross join lateral (
        select not exists (
            select
            from (
                select t.contact_id
                union
                select theirs.identifier_id
                from customer_identifiers i
                join customer_identifiers theirs
                    on (theirs.corp_id, theirs.customer_id) = (i.corp_id, i.customer_id)
                where (i.corp_id, i.identifier_id) = (t.corp_id, t.contact_id)
            ) contact
            join touches e on (e.corp_id, e.contact_id) = (t.corp_id, contact.contact_id)
            where e.kind <> 'CONFIRMED' and (e.added_at, e.touch_id) < (t.added_at, t.touch_id)
        ) as is_first
    ) first
    group by k.corp_id, k.day, k.channel_id, k.userid
    """,
)

Place = tuple[str, datetime, str, str]  # corp, a moment of the day, channel, userid

PLACES = """
    with marked as (
        select *
        from unnest($1::text[], $2::uuid[], $3::uuid[]) as m (corp_id, contact_id, customer_id)
    ),
    people as (
        select corp_id, customer_id
        from marked
        where customer_id is not null
        union
        select i.corp_id, i.customer_id
        from marked m
        join customer_identifiers i on (i.corp_id, i.identifier_id) = (m.corp_id, m.contact_id)
        where i.customer_id is not null
    ),
    contacts as (
        select corp_id, contact_id
        from marked
        where contact_id is not null
        union
        select i.corp_id, i.identifier_id
        from people p
        join customer_identifiers i on (i.corp_id, i.customer_id) = (p.corp_id, p.customer_id)
    )
    select t.corp_id, t.added_at, t.channel_id, t.userid
    from contacts c
    join touches t on (t.corp_id, t.contact_id) = (c.corp_id, c.contact_id)
"""


async def places(connection: Connection, marks: Sequence[Row]) -> set[Place]:
    """Where the marked adds lie, and those of the same people."""
    rows = await connection.fetch(
        PLACES,
        [mark["corp_id"] for mark in marks],
        [mark["contact_id"] for mark in marks],
        [mark["customer_id"] for mark in marks],
    )
    named: Iterable[Row] = (mark for mark in marks if mark["added_at"] is not None)
    return {(row["corp_id"], row["added_at"], row["channel_id"], row["userid"]) for row in (*rows, *named)}


async def mark_all(connection: Connection, corp: Corp) -> None:
    """All days that have adds of the corp, and all that were counted: one mark for each, at its noon."""
    await connection.execute(
        """
        insert into add_day_marks (corp_id, channel_id, userid, added_at)
        select
            corp_id, channel_id, userid,
            (date_trunc('day', added_at at time zone $2) + interval '12 hours') at time zone $2
        from touches
        where corp_id = $1
        union
        select corp_id, channel_id, userid, (day + time '12:00') at time zone $2
        from add_days
        where corp_id = $1
        """,
        corp.corp_id,
        corp.timezone,
    )
