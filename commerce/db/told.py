"""What malls told of orders, message by message."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row
from chassis.projection import Projection

TOLD = Projection(
    "told_of_orders",
    {"corp_id": "text", "mall_id": "text", "order_id": "text", "message_id": "text"},
    {
        "kind": "text",
        "status": "text",
        "at": "timestamptz",
        "arrived_at": "timestamptz",
        "currency": "text",
        "paid_fen": "bigint",
        "refunded_fen": "bigint",
    },
)


async def of_order(connection: Connection, corp_id: str, mall_id: str, order_id: str, limit: int) -> Sequence[Row]:
    """Oldest first."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from told_of_orders
        where corp_id = $1 and mall_id = $2 and order_id = $3
        order by at, arrived_at, message_id
        limit $4
        """,
        corp_id,
        mall_id,
        order_id,
        limit,
    )
    return rows
