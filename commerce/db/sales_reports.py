"""Sales over a period: money from the days that were counted, people from the orders themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Wanted:
    """None and the empty text: whatever it is. `userids`: of these employees alone."""

    corp_id: str
    channel_id: str | None
    mall_id: str
    userids: Sequence[str] | None


# `userid` is told where rows stand for employees or their departments, and the currency always.
OF_ALL = """
    select
        case $6
            when 'DAY' then day::text
            when 'CHANNEL' then channel_id
            when 'MALL' then mall_id
            else userid
        end as key,
        case when $6 in ('STAFF', 'DEPARTMENT') then userid end as userid,
        currency,
        sum(paid_orders)::bigint as paid_orders,
        sum(paid_fen)::bigint as paid_fen,
        sum(refunded_fen)::bigint as refunded_fen
    from sale_days
    where corp_id = $1
      and day between $2 and $3
      and ($4::text is null or channel_id = $4)
      and ($5 = '' or mall_id = $5)
    group by 1, 2, 3
    having sum(paid_orders) > 0 or sum(refunded_fen) > 0
"""

OF_STAFF = """
    select
        case $6
            when 'DAY' then day::text
            when 'CHANNEL' then channel_id
            when 'MALL' then mall_id
            else userid
        end as key,
        case when $6 in ('STAFF', 'DEPARTMENT') then userid end as userid,
        currency,
        sum(paid_orders)::bigint as paid_orders,
        sum(paid_fen)::bigint as paid_fen,
        sum(refunded_fen)::bigint as refunded_fen
    from sale_days
    where corp_id = $1
      and day between $2 and $3
      and ($4::text is null or channel_id = $4)
      and ($5 = '' or mall_id = $5)
      and userid = any($7)
    group by 1, 2, 3
    having sum(paid_orders) > 0 or sum(refunded_fen) > 0
"""

# A buyer whom identity has not placed yet counts as themselves; guests, whom no mall names, are nobody.
BUYERS_OF_ALL = """
    with people as (
        select coalesce(i.customer_id, o.buyer_id) as person, count(*) as orders
        from orders o
        join attributions a on (a.corp_id, a.mall_id, a.order_id) = (o.corp_id, o.mall_id, o.order_id)
        left join customer_identifiers i on (i.corp_id, i.identifier_id) = (o.corp_id, o.buyer_id)
        where o.corp_id = $1
          and o.paid_at >= $2
          and o.paid_at < $3
          and o.currency = $4
          and o.buyer_id is not null
          and ($5::uuid is null or a.channel_id = $5)
          and ($6 = '' or o.mall_id = $6)
        group by person
    )
    select count(*) as buyers, count(*) filter (where orders >= 2) as repeat_buyers
    from people
"""

BUYERS_OF_STAFF = """
    with people as (
        select coalesce(i.customer_id, o.buyer_id) as person, count(*) as orders
        from attributions a
        join orders o on (o.corp_id, o.mall_id, o.order_id) = (a.corp_id, a.mall_id, a.order_id)
        left join customer_identifiers i on (i.corp_id, i.identifier_id) = (o.corp_id, o.buyer_id)
        where a.corp_id = $1
          and a.userid = any($7)
          and a.paid_at >= $2
          and a.paid_at < $3
          and o.currency = $4
          and o.buyer_id is not null
          and ($5::uuid is null or a.channel_id = $5)
          and ($6 = '' or o.mall_id = $6)
        group by person
    )
    select count(*) as buyers, count(*) filter (where orders >= 2) as repeat_buyers
    from people
"""


async def sums(connection: Connection, wanted: Wanted, first: date, last: date, by: str) -> Sequence[Row]:
    """By key, employee and currency."""
    arguments = wanted.corp_id, first, last, wanted.channel_id, wanted.mall_id, by
    rows: Sequence[Row]
    if wanted.userids is None:
        rows = await connection.fetch(OF_ALL, *arguments)
    else:
        rows = await connection.fetch(OF_STAFF, *arguments, wanted.userids)
    return rows


async def buyers(connection: Connection, wanted: Wanted, since: datetime, until: datetime, currency: str) -> Row:
    """People with a paid order, and those of them with at least two."""
    arguments = wanted.corp_id, since, until, currency, wanted.channel_id, wanted.mall_id
    if wanted.userids is None:
        row = await connection.fetchrow(BUYERS_OF_ALL, *arguments)
    else:
        row = await connection.fetchrow(BUYERS_OF_STAFF, *arguments, wanted.userids)
    assert row is not None, "an aggregate always returns its row"
    return row
