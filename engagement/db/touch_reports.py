"""Welcomes and alerts over a period, from the days that were counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chassis.kernel.periods import Period
from chassis.pool import Connection, Row

WELCOMES_OF_ALL = """
    select
        case $4 when 'DAY' then day::text when 'CHANNEL' then channel_id::text else userid end as key,
        case when $4 in ('STAFF', 'DEPARTMENT') then userid end as userid,
        sum(sent)::bigint as sent,
        sum(late)::bigint as late,
        sum(refused)::bigint as refused,
        sum(without_rule)::bigint as without_rule,
        sum(failed)::bigint as failed,
        0::bigint as open
    from welcome_days
    where corp_id = $1
      and day between $2 and $3
      and ($5::uuid is null or channel_id = $5)
    group by 1, 2
"""
WELCOMES_OF_STAFF = """
    select
        case $4 when 'DAY' then day::text when 'CHANNEL' then channel_id::text else userid end as key,
        userid,
        sum(sent)::bigint as sent,
        sum(late)::bigint as late,
        sum(refused)::bigint as refused,
        sum(without_rule)::bigint as without_rule,
        sum(failed)::bigint as failed,
        0::bigint as open
    from welcome_days
    where corp_id = $1
      and day between $2 and $3
      and ($5::uuid is null or channel_id = $5)
      and userid = any($6)
    group by 1, 2
"""
# Welcomes are open for a few seconds: they are read as they stand.
OPEN_WELCOMES = """
    select
        case $4
            when 'DAY' then ((arrived_at at time zone $8)::date)::text
            when 'CHANNEL' then channel_id::text
            else userid
        end as key,
        userid,
        0::bigint as sent,
        0::bigint as late,
        0::bigint as refused,
        0::bigint as without_rule,
        0::bigint as failed,
        count(*) as open
    from welcomes
    where corp_id = $1
      and status = 'OPEN'
      and arrived_at >= $2
      and arrived_at < $3
      and ($5::uuid is null or channel_id = $5)
      and ($6::boolean or userid = any($7))
    group by 1, 2
"""
ALERTS_OF_ALL = """
    select
        case $4 when 'DAY' then day::text else userid end as key,
        case when $4 in ('STAFF', 'DEPARTMENT') then userid end as userid,
        sum(raised)::bigint as raised,
        sum(delivered)::bigint as delivered,
        sum(refused)::bigint as refused,
        sum(expired)::bigint as expired,
        sum(open)::bigint as open,
        sum(listed)::bigint as listed
    from alert_days
    where corp_id = $1 and day between $2 and $3
    group by 1, 2
"""
ALERTS_OF_STAFF = """
    select
        case $4 when 'DAY' then day::text else userid end as key,
        userid,
        sum(raised)::bigint as raised,
        sum(delivered)::bigint as delivered,
        sum(refused)::bigint as refused,
        sum(expired)::bigint as expired,
        sum(open)::bigint as open,
        sum(listed)::bigint as listed
    from alert_days
    where corp_id = $1
      and day between $2 and $3
      and userid = any($5)
    group by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is asked for. `by`: DAY, CHANNEL, STAFF or DEPARTMENT."""

    corp_id: str
    period: Period
    by: str
    # None: everybody.
    userids: set[str] | None
    channel_id: str | None = None

    @property
    def place(self) -> tuple[str, date, date, str]:
        return self.corp_id, self.period.first, self.period.last, self.by


async def welcomes(connection: Connection, wanted: Wanted) -> Sequence[Row]:
    """Sums by key, and by userid where employees are told apart."""
    if wanted.userids is None:
        ended = await connection.fetch(WELCOMES_OF_ALL, *wanted.place, wanted.channel_id)
    else:
        ended = await connection.fetch(WELCOMES_OF_STAFF, *wanted.place, wanted.channel_id, sorted(wanted.userids))
    open_ones = await connection.fetch(
        OPEN_WELCOMES,
        wanted.corp_id,
        wanted.period.since,
        wanted.period.until,
        wanted.by,
        wanted.channel_id,
        wanted.userids is None,
        sorted(wanted.userids or ()),
        str(wanted.period.zone),
    )
    return [*ended, *open_ones]


async def alerts(connection: Connection, wanted: Wanted) -> Sequence[Row]:
    """Sums by key, and by userid where employees are told apart."""
    if wanted.userids is None:
        rows: Sequence[Row] = await connection.fetch(ALERTS_OF_ALL, *wanted.place)
    else:
        rows = await connection.fetch(ALERTS_OF_STAFF, *wanted.place, sorted(wanted.userids))
    return rows
