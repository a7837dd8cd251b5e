"""Adds over a period, from the days that were counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chassis.pool import Connection, Row

OF_ALL = """
    select
        case $5 when 'DAY' then day::text when 'CHANNEL' then channel_id::text else userid end as key,
        case when $6 then userid end as userid,
        -- A userid that has changed hands says who it is only with its day.
        case when $6 and userid = any($7) then day end as told_on,
        sum(adds)::bigint as adds,
        sum(customers)::bigint as customers
    from add_days
    where corp_id = $1
      and day between $2 and $3
      and ($4::uuid is null or channel_id = $4)
    group by 1, 2, 3
"""

OF_STAFF = """
    select
        case $5 when 'DAY' then day::text when 'CHANNEL' then channel_id::text else userid end as key,
        userid,
        case when userid = any($6) then day end as told_on,
        sum(adds)::bigint as adds,
        sum(customers)::bigint as customers
    from add_days
    where corp_id = $1
      and day between $2 and $3
      and ($4::uuid is null or channel_id = $4)
      and userid = any($7)
    group by 1, 2, 3
"""


async def of_all(
    connection: Connection,
    corp_id: str,
    first: date,
    last: date,
    channel_id: str | None,
    by: str,
    *,
    by_member: bool,
    former: Sequence[str],
) -> Sequence[Row]:
    """`by_member`: a row also for each employee. `former`: userids that somebody was renamed from."""
    rows: Sequence[Row] = await connection.fetch(OF_ALL, corp_id, first, last, channel_id, by, by_member, former)
    return rows


async def of_staff(
    connection: Connection,
    corp_id: str,
    first: date,
    last: date,
    channel_id: str | None,
    by: str,
    *,
    former: Sequence[str],
    told: Sequence[str],
) -> Sequence[Row]:
    """Of adds that were told of these userids alone."""
    rows: Sequence[Row] = await connection.fetch(OF_STAFF, corp_id, first, last, channel_id, by, former, told)
    return rows
