"""What the mall said of an order, as it is shown."""

from __future__ import annotations

from bihuan.commerce.v1 import order_service_pb2 as pb
from bihuan.common.v1.money_pb2 import Money

from chassis.pool import Connection, Row
from commerce.db import told

MOST = 200


async def of_order(connection: Connection, corp_id: str, order: pb.Order) -> list[pb.OrderMessage]:
    """Oldest first."""
    return [_message(row) for row in await told.of_order(connection, corp_id, order.mall_id, order.order_id, MOST)]


def _message(row: Row) -> pb.OrderMessage:
    currency = row["currency"]
    return pb.OrderMessage(
        kind=row["kind"],
        status=pb.OrderStatus.Value(f"ORDER_STATUS_{row['status'] or 'UNSPECIFIED'}"),
        at=row["at"],
        arrived_at=row["arrived_at"],
        paid=None if row["paid_fen"] is None else Money(amount=row["paid_fen"], currency=currency),
        refunded=None if row["refunded_fen"] is None else Money(amount=row["refunded_fen"], currency=currency),
    )
