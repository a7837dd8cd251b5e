"""GMV and its breakdowns, over facts known at `as_of` (None: now)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.pool import Connection, Row

# Later than everything that anybody knows.
NOW = datetime(9999, 1, 1, tzinfo=UTC)

REFUNDED = """
    refunded as (
        select r.mall_id, r.order_id, sum(r.amount_fen)::bigint as fen
        from refunds r
        where r.corp_id = $1 and r.status = 'ACCEPTED' and r.at <= $2
        group by r.mall_id, r.order_id
    )
"""

BY_STATUS = f"""
    with {REFUNDED}
    select
        order_status(
            case when o.paid_at <= $2 then o.paid_fen end, r.fen, o.shipped_at, o.completed_at, o.closed_at, $2
        ) as status,
        count(*) as orders
    from orders o
    left join refunded r on (r.mall_id, r.order_id) = (o.mall_id, o.order_id)
    where o.corp_id = $1 and o.created_at <= $2
    group by status
    order by status
"""

TOTALS = """
    with refunded as (
        select sum(r.amount_fen)::bigint as fen
        from refunds r
        join orders o on (o.corp_id, o.mall_id, o.order_id) = (r.corp_id, r.mall_id, r.order_id)
        where r.corp_id = $1
            and r.status = 'ACCEPTED'
            and r.at <= $2
            and o.created_at <= $2
            and o.paid_at <= $2
    ),
    -- A buyer whom identity has not placed yet counts as themselves; guests, whom no mall names, are nobody.
    people as (
        select coalesce(i.customer_id, o.buyer_id) as person, count(*) as orders, sum(o.paid_fen) as gmv
        from orders o
        left join customer_identifiers i on i.corp_id = o.corp_id and i.identifier_id = o.buyer_id
        where o.corp_id = $1 and o.created_at <= $2 and o.paid_at <= $2
        group by person
    )
    select
        coalesce(sum(orders), 0)::bigint as orders,
        coalesce(sum(gmv), 0)::bigint as gmv,
        coalesce((select fen from refunded), 0)::bigint as refunded,
        count(person) as buyers,
        count(person) filter (where orders >= 2) as repeat_buyers
    from people
"""

SHARES = f"""
    with {REFUNDED}
    select
        case $3 when 'userid' then a.userid when 'channel_id' then a.channel_id::text end as key,
        count(*) as orders,
        sum(o.paid_fen)::bigint as gmv,
        coalesce(sum(r.fen), 0)::bigint as refunded
    from orders o
    left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (o.corp_id, o.mall_id, o.order_id)
    left join refunded r on (r.mall_id, r.order_id) = (o.mall_id, o.order_id)
    where o.corp_id = $1 and o.created_at <= $2 and o.paid_at <= $2
    group by key
    order by gmv desc, key
"""


async def by_status(connection: Connection, corp_id: str, as_of: datetime | None) -> dict[str, int]:
    rows = await connection.fetch(BY_STATUS, corp_id, as_of or NOW)
    return {row["status"]: row["orders"] for row in rows}


async def totals(connection: Connection, corp_id: str, as_of: datetime | None) -> Row:
    """Paid orders, money, and people."""
    row = await connection.fetchrow(TOTALS, corp_id, as_of or NOW)
    assert row is not None, "an aggregate always returns its row"
    return row


async def shares(connection: Connection, corp_id: str, as_of: datetime | None, by: str) -> Sequence[Row]:
    """GMV by `userid` or `channel_id` of the present attribution, largest first; null for what nothing earned."""
    if by not in ("userid", "channel_id"):
        raise ValueError(by)
    rows: Sequence[Row] = await connection.fetch(SHARES, corp_id, as_of or NOW, by)
    return rows
