"""Orders: locked, written whole, found and shown. Their status is derived by the function `order_status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.pool import Connection, Row

Key = tuple[str, str, str]  # corp, mall, order

# What messages say, and its types.
COLUMNS: dict[str, str] = {
    "detail_rank": "text",
    "currency_rank": "text",
    "currency": "text",
    "total_fen": "bigint",
    "created_at": "timestamptz",
    "province": "text",
    "city": "text",
    "county": "text",
    "source": "text",
    "channel": "text",
    "buyer_rank": "text",
    "buyer_id": "uuid",
    "paid_rank": "text",
    "paid_fen": "bigint",
    "paid_at": "timestamptz",
    "paid_arrived_at": "timestamptz",
    "shipped_rank": "text",
    "shipped_at": "timestamptz",
    "completed_rank": "text",
    "completed_at": "timestamptz",
    "closed_rank": "text",
    "closed_at": "timestamptz",
    "close_reason": "text",
}

SHOW = """
    select
        o.*,
        i.customer_id,
        a.userid,
        a.channel_id,
        coalesce(r.fen, 0)::bigint as refunded_fen,
        order_status(o.paid_fen, r.fen::bigint, o.shipped_at, o.completed_at, o.closed_at, 'infinity') as status
    from orders o
    left join customer_identifiers i on (i.corp_id, i.identifier_id) = (o.corp_id, o.buyer_id)
    left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (o.corp_id, o.mall_id, o.order_id)
    left join lateral (
        select sum(f.amount_fen) as fen
        from refunds f
        where (f.corp_id, f.mall_id, f.order_id) = (o.corp_id, o.mall_id, o.order_id) and f.status = 'ACCEPTED'
    ) r on true
    where (o.corp_id, o.mall_id, o.order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        and o.created_at is not null
"""


async def lock(connection: Connection, keys: Sequence[Key]) -> dict[Key, Row]:
    """Makes the rows that are missing, and locks all in key order."""
    columns = list(zip(*sorted(keys), strict=True))
    await connection.execute(
        """
        insert into orders (corp_id, mall_id, order_id)
        select * from unnest($1::text[], $2::text[], $3::text[])
        on conflict do nothing
        """,
        *columns,
    )
    rows = await connection.fetch(
        """
        select *
        from orders
        where (corp_id, mall_id, order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        order by corp_id, mall_id, order_id
        for update
        """,
        *columns,
    )
    return {(row["corp_id"], row["mall_id"], row["order_id"]): row for row in rows}


async def update(connection: Connection, orders: Mapping[Key, Mapping[str, Any]]) -> None:
    """Writes whole rows."""
    if not orders:
        return
    keys = sorted(orders)
    arrays = ", ".join(f"${position}::{kind}[]" for position, kind in enumerate(COLUMNS.values(), start=4))
    await connection.execute(
        f"""
        update orders o
        set {", ".join(f"{name} = t.{name}" for name in COLUMNS)}
        from unnest($1::text[], $2::text[], $3::text[], {arrays})
            as t(corp_id, mall_id, order_id, {", ".join(COLUMNS)})
        where (o.corp_id, o.mall_id, o.order_id) = (t.corp_id, t.mall_id, t.order_id)
        """,
        *zip(*keys, strict=True),
        *([orders[key][name] for key in keys] for name in COLUMNS),
    )


async def show(connection: Connection, keys: Sequence[Key]) -> Sequence[Row]:
    """An order of which only later messages have come yet is not there."""
    if not keys:
        return []
    rows: Sequence[Row] = await connection.fetch(SHOW, *zip(*keys, strict=True))
    return rows
