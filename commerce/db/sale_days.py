"""Sales by day, mall, channel, employee and currency, counted from orders, attributions and refunds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from chassis.kernel.corps import Corp
from chassis.kernel.day_rollup import DayRollup
from chassis.pool import Connection, Row

QUEUE, MARKS, KEY = "sale-days", "sale_day_marks", "mark_id"

SALE_DAYS = DayRollup(
    "sale_days",
    {"mall_id": "text", "channel_id": "text", "userid": "text", "currency": "text"},
    ("paid_orders", "paid_fen", "refunded_fen"),
    Path(__file__).with_name("count_sale_days.sql").read_text(),
)

Place = tuple[str, datetime, str, str, str, str]  # corp, a moment of the day, mall, channel, userid, currency

# The days of orders as they are now. Before it was attributed an order was nobody's.
OF_ORDERS = """
    select o.corp_id, moments.at, o.mall_id, owners.channel_id, owners.userid, o.currency
    from unnest($1::text[], $2::text[], $3::text[]) as k (corp_id, mall_id, order_id)
    join orders o on (o.corp_id, o.mall_id, o.order_id) = (k.corp_id, k.mall_id, k.order_id)
    left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (o.corp_id, o.mall_id, o.order_id)
    cross join lateral (
        select o.paid_at as at
        union
        select a.paid_at
        union
        select r.at
        from refunds r
        where (r.corp_id, r.mall_id, r.order_id) = (o.corp_id, o.mall_id, o.order_id)
    ) moments
    cross join lateral (
        select coalesce(a.channel_id::text, '') as channel_id, coalesce(a.userid, '') as userid
        union
        select '', ''
    ) owners
    where moments.at is not null and o.currency is not null
"""


async def places(connection: Connection, marks: Sequence[Row]) -> set[Place]:
    """Where the marked sales lie, and where they lay."""
    orders = sorted({(m["corp_id"], m["mall_id"], m["order_id"]) for m in marks if m["order_id"] is not None})
    rows = await connection.fetch(OF_ORDERS, *zip(*orders, strict=True)) if orders else []
    named = [mark for mark in marks if mark["order_id"] is None]
    return {
        (row["corp_id"], row["at"], row["mall_id"], row["channel_id"], row["userid"], row["currency"])
        for row in (*rows, *named)
    }


async def mark_all(connection: Connection, corp: Corp) -> None:
    """All days that the corp has sales on, and all that were counted: one mark for each, at its noon."""
    await connection.execute(
        """
        insert into sale_day_marks (corp_id, mall_id, channel_id, userid, currency, at)
        select
            corp_id, mall_id, channel_id, userid, currency,
            (date_trunc('day', at at time zone $2) + interval '12 hours') at time zone $2
        from (
            select
                o.corp_id, o.mall_id, coalesce(a.channel_id::text, '') as channel_id, coalesce(a.userid, '') as userid,
                o.currency, coalesce(a.paid_at, o.paid_at) as at
            from orders o
            left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (o.corp_id, o.mall_id, o.order_id)
            where o.corp_id = $1 and o.paid_at is not null and o.currency is not null
            union all
            select
                r.corp_id, r.mall_id, coalesce(a.channel_id::text, ''), coalesce(a.userid, ''), o.currency, r.at
            from refunds r
            join orders o on (o.corp_id, o.mall_id, o.order_id) = (r.corp_id, r.mall_id, r.order_id)
            left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (r.corp_id, r.mall_id, r.order_id)
            where r.corp_id = $1 and r.status = 'ACCEPTED' and o.currency is not null
            union all
            select corp_id, mall_id, channel_id, userid, currency, (day + time '12:00') at time zone $2
            from sale_days
            where corp_id = $1
        ) sales
        group by 1, 2, 3, 4, 5, 6
        -- Those that are taken together read few days.
        order by 6
        """,
        corp.corp_id,
        corp.timezone,
    )
