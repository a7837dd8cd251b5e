"""Welcomes by day, channel and employee, alerts by day and employee: counted from their rows."""

from __future__ import annotations

from chassis.kernel.corps import Corp
from chassis.kernel.day_rollup import DayRollup
from chassis.pool import Connection
from engagement.domain.alerts import KINDS

WELCOME_QUEUE, WELCOME_MARKS = "welcome-days", "welcome_day_marks"
ALERT_QUEUE, ALERT_MARKS = "alert-days", "alert_day_marks"

WELCOME_DAYS = DayRollup(
    "welcome_days",
    {"channel_id": "uuid", "userid": "text"},
    ("sent", "late", "refused", "without_rule", "failed"),
    """
    select
        k.corp_id, k.day, k.channel_id, k.userid,
        count(*) filter (where w.status = 'SENT') as sent,
        count(*) filter (where w.status = 'LATE') as late,
        count(*) filter (where w.status = 'REFUSED') as refused,
        count(*) filter (where w.status = 'WITHOUT_RULE') as without_rule,
        count(*) filter (where w.status = 'FAILED') as failed
    from keys k
    -- status by status, as the index of lists has them
    cross join unnest(array['SENT', 'LATE', 'REFUSED', 'WITHOUT_RULE', 'FAILED']) as ended (status)
    join welcomes w
        on w.corp_id = k.corp_id
        and w.userid = k.userid
        and w.status = ended.status
        and w.status <> 'OPEN'
        and w.arrived_at >= k.since
        and w.arrived_at < k.until
        and w.channel_id = k.channel_id
    group by k.corp_id, k.day, k.channel_id, k.userid
    """,
)

ALERT_DAYS = DayRollup(
    "alert_days",
    {"userid": "text"},
    ("raised", "delivered", "refused", "expired", "open", "listed"),
    f"""
    select
        k.corp_id, k.day, k.userid,
        count(*) as raised,
        count(*) filter (where a.status = 'DELIVERED') as delivered,
        count(*) filter (where a.status = 'REFUSED') as refused,
        count(*) filter (where a.status = 'EXPIRED') as expired,
        count(*) filter (where a.status in ('OPEN', 'WAITING')) as open,
        count(*) filter (where a.status = 'LISTED') as listed
    from keys k
    -- kind by kind, as the index of lists has them
    cross join unnest(array{sorted(KINDS.values())}) as known (kind)
    join alerts a
        on a.corp_id = k.corp_id
        and a.userid = k.userid
        and a.kind = known.kind
        and a.at >= k.since
        and a.at < k.until
    group by k.corp_id, k.day, k.userid
    """,
)


async def mark_all_welcomes(connection: Connection, corp: Corp) -> None:
    """All days that have welcomes of the corp which ended, and all that were counted. By quarters of an hour: in every
    zone a day begins with one."""
    await connection.execute(
        """
        insert into welcome_day_marks (corp_id, channel_id, userid, at)
        select distinct corp_id, channel_id, userid, date_bin('15 minutes', arrived_at, timestamptz 'epoch')
        from welcomes
        where corp_id = $1 and status not in ('OPEN', 'ANOTHER_CODE')
        union
        select corp_id, channel_id, userid, (day + time '12:00') at time zone $2
        from welcome_days
        where corp_id = $1
        """,
        corp.corp_id,
        corp.timezone,
    )


async def mark_all_alerts(connection: Connection, corp: Corp) -> None:
    """As mark_all_welcomes, of alerts."""
    await connection.execute(
        """
        insert into alert_day_marks (corp_id, userid, at)
        select distinct corp_id, userid, date_bin('15 minutes', at, timestamptz 'epoch')
        from alerts
        where corp_id = $1
        union
        select corp_id, userid, (day + time '12:00') at time zone $2
        from alert_days
        where corp_id = $1
        """,
        corp.corp_id,
        corp.timezone,
    )
