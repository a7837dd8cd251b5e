from __future__ import annotations

import json
from typing import Any

from bihuan.commerce.v1 import order_service_pb2 as pb
from bihuan.commerce.v1 import order_service_pb2_grpc as grpc_pb
from bihuan.common.v1.money_pb2 import Money

from chassis import paging
from chassis.errors import NotFound
from chassis.kernel.caller import caller
from chassis.pool import Pool, Row
from commerce.db import orders as db


class OrderServicer(grpc_pb.OrderServiceServicer):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        customer_id = paging.uuid(request.customer_id, "customerId") if request.customer_id else None
        before = paging.position(page.after) if page.after else None
        async with self._pool.acquire() as connection:
            rows = await db.page(connection, me.corp_id, me.confined_to, customer_id, before, page.size)
        return pb.ListOrdersResponse(
            orders=[_order(row) for row in rows],
            next_page_token=page.next_token(
                [json.dumps([row["created_at"].isoformat(), row["mall_id"], row["order_id"]]) for row in rows]
            ),
        )

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        me = caller()
        async with self._pool.acquire() as connection:
            row = await db.get(connection, (me.corp_id, request.mall_id, request.order_id), me.confined_to)
        if row is None:
            raise NotFound("ORDER_NOT_FOUND", field="orderId")
        return pb.GetOrderResponse(order=_order(row))


def _order(row: Row) -> pb.Order:
    currency = row["currency"]
    return pb.Order(
        mall_id=row["mall_id"],
        order_id=row["order_id"],
        status=pb.OrderStatus.Value(f"ORDER_STATUS_{row['status']}"),
        total=Money(amount=row["total_fen"], currency=currency),
        paid=Money(amount=row["paid_then"] or 0, currency=currency),
        refunded=Money(amount=row["refunded_fen"], currency=currency),
        customer_id=row["customer_id"] or "",
        userid=row["userid"] or "",
        channel_id=row["channel_id"] or "",
        created_at=row["created_at"],
        paid_at=row["paid_at"],
    )
