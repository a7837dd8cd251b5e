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

TOTALS = """
    with money as (
        select count(*) as orders, sum(paid_fen) as gmv, sum(refunded_fen) as refunded
        from orders_as_of($1, $2)
        where paid_fen is not null
    ),
    -- A buyer whom identity has not placed yet counts as themselves; guests, whom no mall names, are nobody.
    people as (
        select coalesce(i.customer_id, o.buyer_id) as person, count(*) as orders
        from orders o
        left join customer_identifiers i on (i.corp_id, i.identifier_id) = ($1, o.buyer_id)
        where o.corp_id = $1 and o.created_at <= $2 and o.paid_at <= $2 and o.buyer_id is not null
        group by person
    )
    select
        orders,
        coalesce(gmv, 0)::bigint as gmv,
        coalesce(refunded, 0)::bigint as refunded,
        (select count(*) from people) as buyers,
        (select count(*) from people where orders >= 2) as repeat_buyers
    from money
"""

SHARES = """
    select
        case $3 when 'userid' then a.userid when 'channel_id' then a.channel_id::text end as key,
        count(*) as orders,
        sum(o.paid_fen)::bigint as gmv,
        coalesce(sum(o.refunded_fen), 0)::bigint as refunded
    from orders_as_of($1, $2) o
    left join attributions a on (a.corp_id, a.mall_id, a.order_id) = ($1, o.mall_id, o.order_id)
    where o.paid_fen is not null
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
