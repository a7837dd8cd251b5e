"""Relations over a period, from the days that were counted. `userids`: of these employees alone; None for all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chassis.pool import Connection, Row

BY_DAY = """
    select
        day::text as key,
        sum(began)::bigint as began,
        sum(ended)::bigint as ended,
        sum(ended_by_customer)::bigint as ended_by_customer,
        sum(readded)::bigint as readded
    from relation_days
    where corp_id = $1
      and day between $2 and $3
      and ($4::text[] is null or userid = any($4))
    group by day
"""

BY_STAFF = """
    select
        userid as key,
        coalesce(sum(began) filter (where day >= $2), 0)::bigint as began,
        coalesce(sum(ended) filter (where day >= $2), 0)::bigint as ended,
        coalesce(sum(ended_by_customer) filter (where day >= $2), 0)::bigint as ended_by_customer,
        coalesce(sum(readded) filter (where day >= $2), 0)::bigint as readded,
        sum(began - ended)::bigint as living
    from relation_days
    where corp_id = $1
      and day <= $3
      and ($4::text[] is null or userid = any($4))
    group by userid
"""

LIVING_BEFORE = """
    select coalesce(sum(began - ended), 0)::bigint
    from relation_days
    where corp_id = $1
      and day < $2
      and ($3::text[] is null or userid = any($3))
"""


async def by_day(
    connection: Connection, corp_id: str, first: date, last: date, userids: Sequence[str] | None
) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(BY_DAY, corp_id, first, last, userids)
    return rows


async def by_staff(
    connection: Connection, corp_id: str, first: date, last: date, userids: Sequence[str] | None
) -> Sequence[Row]:
    """With `living`: at the end of the last day."""
    rows: Sequence[Row] = await connection.fetch(BY_STAFF, corp_id, first, last, userids)
    return rows


async def living_before(connection: Connection, corp_id: str, day: date, userids: Sequence[str] | None) -> int:
    """Alive when the day began."""
    living: int = await connection.fetchval(LIVING_BEFORE, corp_id, day, userids)
    return living
