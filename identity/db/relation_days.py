"""Relations begun and ended by day and employee, counted from the follow events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.kernel.corps import Corp
from chassis.kernel.day_rollup import DayRollup
from chassis.pool import Connection, Row

QUEUE, MARKS = "relation-days", "relation_day_marks"

# As identity.domain.relations.spans_of cuts the spans: an add begins one where no add stands right before it, an end
# ends one where an add does. Ties are broken alike.
RELATION_DAYS = DayRollup(
    "relation_days",
    {"userid": "text"},
    ("began", "ended", "ended_by_customer", "readded"),
    """
    select
        k.corp_id, k.day, k.userid,
        count(*) filter (where e.kind = 'added' and before.kind is distinct from 'added') as began,
        count(*) filter (where e.kind <> 'added' and before.kind = 'added') as ended,
        count(*) filter (where e.kind = 'deleted_by_customer' and before.kind = 'added') as ended_by_customer,
        count(*) filter (where e.kind = 'added' and before.kind <> 'added' and before.was_added) as readded
    from keys k
    join follow_events e
        on e.corp_id = k.corp_id
        and e.userid = k.userid
        and e.at >= k.since
        and e.at < k.until
    -- What stands right before it between the two, and whether anything before it was an add.
    left join lateral (
        select b.kind, bool_or(b.kind = 'added') over () as was_added
        from follow_events b
        where (b.corp_id, b.contact_id, b.userid) = (e.corp_id, e.contact_id, e.userid)
            and (b.at, b.kind <> 'added', b.fact_id collate "C") < (e.at, e.kind <> 'added', e.fact_id collate "C")
        order by b.at desc, b.kind <> 'added' desc, b.fact_id collate "C" desc
        limit 1
    ) before on true
    group by k.corp_id, k.day, k.userid
    """,
)

Place = tuple[str, datetime, str]  # corp, a moment of the day, userid

PLACES = """
    select distinct e.corp_id, e.at, e.userid
    from unnest($1::text[], $2::uuid[], $3::text[]) as m (corp_id, contact_id, userid)
    join follow_events e on (e.corp_id, e.contact_id, e.userid) = (m.corp_id, m.contact_id, m.userid)
"""


async def places(connection: Connection, marks: Sequence[Row]) -> set[Place]:
    """Where the events of the marked pairs lie, and the marked moments."""
    pairs = [mark for mark in marks if mark["contact_id"] is not None]
    rows = await connection.fetch(
        PLACES,
        [mark["corp_id"] for mark in pairs],
        [mark["contact_id"] for mark in pairs],
        [mark["userid"] for mark in pairs],
    )
    moments = [mark for mark in marks if mark["at"] is not None]
    return {(row["corp_id"], row["at"], row["userid"]) for row in (*rows, *moments)}


async def mark_all(connection: Connection, corp: Corp) -> None:
    """All days that have events of the corp, and all that were counted. By quarters of an hour: in every zone a day
    begins with one."""
    await connection.execute(
        """
        insert into relation_day_marks (corp_id, userid, at)
        select distinct corp_id, userid, date_bin('15 minutes', at, timestamptz 'epoch')
        from follow_events
        where corp_id = $1
        union
        select corp_id, userid, (day + time '12:00') at time zone $2
        from relation_days
        where corp_id = $1
        """,
        corp.corp_id,
        corp.timezone,
    )
