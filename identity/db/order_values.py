"""What orders are worth, as commerce last said."""

from __future__ import annotations

from chassis.projection import Projection

ORDER_VALUES = Projection(
    "order_values",
    {"corp_id": "text", "mall_id": "text", "order_id": "text"},
    {"buyer_id": "uuid", "paid_fen": "bigint", "refunded_fen": "bigint", "currency": "text"},
)
