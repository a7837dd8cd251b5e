"""GMV and its breakdowns, over facts known at `as_of` (None: now)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.pool import Connection, Row

# Later than everything that anybody knows.
NOW = datetime(9999, 1, 1, tzinfo=UTC)

BY_STATUS = """
    select
        order_status(paid_fen, refunded_fen, shipped_at, completed_at, closed_at, $2) as status,
        count(*) as orders
    from orders_as_of($1, $2)
    group by status
    order by status
"""

# The paid orders of a corp, with what was given back of each. Grouped, not joined, as in orders_as_of.
SALES = """
    sales as (
        select
            told.mall_id,
            told.order_id,
            max(told.currency) as currency,
            max(told.paid_fen) as paid_fen,
            coalesce(sum(told.refunded_fen), 0) as refunded_fen
        from (
            select o.mall_id, o.order_id, o.currency, o.paid_fen, null::bigint as refunded_fen
            from orders o
            where o.corp_id = $1 and o.created_at <= $2 and o.paid_at <= $2 and o.paid_fen is not null
            union all
            select r.mall_id, r.order_id, null, null, r.amount_fen
            from refunds r
            where r.corp_id = $1 and r.status = 'ACCEPTED' and r.at <= $2
        ) told
        group by told.mall_id, told.order_id
        having max(told.paid_fen) is not null
    )
"""

TOTALS = f"""
    with {SALES},
    money as (
        select currency, count(*) as orders, sum(paid_fen)::bigint as gmv, sum(refunded_fen)::bigint as refunded
        from sales
        group by currency
    ),
    -- A buyer whom identity has not placed yet counts as themselves; guests, whom no mall names, are nobody.
    people as (
        select o.currency, coalesce(i.customer_id, o.buyer_id) as person, count(*) as orders
        from orders o
        left join customer_identifiers i on (i.corp_id, i.identifier_id) = ($1, o.buyer_id)
        where o.corp_id = $1 and o.created_at <= $2 and o.paid_at <= $2 and o.buyer_id is not null
        group by o.currency, person
    ),
    buyers as (
        select currency, count(*) as buyers, count(*) filter (where orders >= 2) as repeat_buyers
        from people
        group by currency
    )
    select
        m.currency,
        m.orders,
        m.gmv,
        m.refunded,
        coalesce(b.buyers, 0) as buyers,
        coalesce(b.repeat_buyers, 0) as repeat_buyers
    from money m
    left join buyers b on b.currency = m.currency
    order by m.currency
"""

SHARES = f"""
    with {SALES}
    select
        case $4 when 'userid' then a.userid when 'channel_id' then a.channel_id::text end as key,
        count(*) as orders,
        sum(s.paid_fen)::bigint as gmv,
        sum(s.refunded_fen)::bigint as refunded
    from sales s
    left join attributions a on (a.corp_id, a.mall_id, a.order_id) = ($1, s.mall_id, s.order_id)
    where s.currency = $3
    group by key
    order by gmv desc, key
"""


async def by_status(connection: Connection, corp_id: str, as_of: datetime | None) -> dict[str, int]:
    rows = await connection.fetch(BY_STATUS, corp_id, as_of or NOW)
    return {row["status"]: row["orders"] for row in rows}


async def totals(connection: Connection, corp_id: str, as_of: datetime | None) -> dict[str, Row]:
    """Paid orders, money, and people, by currency; those without paid orders are not there."""
    return {row["currency"]: row for row in await connection.fetch(TOTALS, corp_id, as_of or NOW)}


async def shares(connection: Connection, corp_id: str, as_of: datetime | None, currency: str, by: str) -> Sequence[Row]:
    """GMV by `userid` or `channel_id` of the present attribution, largest first; null for what nothing earned."""
    if by not in ("userid", "channel_id"):
        raise ValueError(by)
    rows: Sequence[Row] = await connection.fetch(SHARES, corp_id, as_of or NOW, currency, by)
    return rows
