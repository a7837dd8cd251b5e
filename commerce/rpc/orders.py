from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bihuan.commerce.v1 import order_service_pb2 as pb
from bihuan.commerce.v1 import order_service_pb2_grpc as grpc_pb
from bihuan.common.v1.money_pb2 import Money

from chassis import paging
from chassis.errors import NotFound
from chassis.kernel.caller import caller
from chassis.pool import Connection, Pool, Row
from commerce.db import lines, order_pages, refunds
from commerce.db import orders as db
from commerce.db.orders import Key

NEWEST: order_pages.Place = (datetime(9999, 1, 1, tzinfo=UTC), "", "")


class OrderServicer(grpc_pb.OrderServiceServicer):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        customer_id = paging.uuid(request.customer_id, "customerId") if request.customer_id else None
        before = paging.position(page.after) if page.after else NEWEST
        async with self._pool.acquire() as connection:
            keys = await order_pages.page(connection, me.corp_id, me.confined_to, customer_id, before, page.size)
            orders = await _shown(connection, keys)
        return pb.ListOrdersResponse(
            orders=orders,
            next_page_token=page.next_token(
                [json.dumps([one.created_at.ToDatetime(UTC).isoformat(), one.mall_id, one.order_id]) for one in orders]
            ),
        )

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        me = caller()
        async with self._pool.acquire() as connection:
            found = await _shown(connection, [(me.corp_id, request.mall_id, request.order_id)])
            own = me.confined_to
            if own is not None and found:
                customer_id = found[0].customer_id or None
                if not await order_pages.in_scope(connection, me.corp_id, own, customer_id):
                    found = []
        if not found:
            raise NotFound("ORDER_NOT_FOUND", field="orderId")
        return pb.GetOrderResponse(order=found[0])


async def _shown(connection: Connection, keys: Sequence[Key]) -> list[pb.Order]:
    """The orders with their lines and refunds, newest first."""
    rows = await db.show(connection, keys)
    shown = {(row["corp_id"], row["mall_id"], row["order_id"]): _order(row) for row in rows}
    if not shown:
        return []
    for row in await lines.of_orders(connection, sorted(shown)):
        key = row["corp_id"], row["mall_id"], row["order_id"]
        shown[key].lines.append(_line(row, shown[key].total.currency))
    given_back = await refunds.of_orders(connection, sorted(shown))
    of_refund: dict[refunds.RefundKey, list[Row]] = defaultdict(list)
    for row in await refunds.lines_of(connection, sorted(given_back)) if given_back else ():
        of_refund[row["corp_id"], row["mall_id"], row["refund_id"]].append(row)
    for refund_key, row in given_back.items():
        order = shown[row["corp_id"], row["mall_id"], row["order_id"]]
        order.refunds.append(_refund(row, of_refund[refund_key], order.total.currency))
    return list(shown.values())


def _order(row: Row) -> pb.Order:
    currency = row["currency"]
    return pb.Order(
        mall_id=row["mall_id"],
        order_id=row["order_id"],
        status=pb.OrderStatus.Value(f"ORDER_STATUS_{row['status']}"),
        total=Money(amount=row["total_fen"], currency=currency),
        paid=Money(amount=row["paid_fen"] or 0, currency=currency),
        refunded=Money(amount=row["refunded_fen"], currency=currency),
        customer_id=row["customer_id"] or "",
        userid=row["userid"] or "",
        channel_id=row["channel_id"] or "",
        created_at=row["created_at"],
        paid_at=row["paid_at"],
        region=pb.OrderRegion(
            province=row["province"] or "",
            city=row["city"] or "",
            county=row["county"] or "",
        ),
        source=row["source"] or "",
        sales_channel=row["channel"] or "",
    )


def _line(row: Row, currency: str) -> pb.OrderLine:
    return pb.OrderLine(
        line_id=row["line_id"],
        product_id=row["product_id"],
        sku_id=row["sku_id"] or "",
        outer_product_id=row["outer_product_id"] or "",
        outer_sku_id=row["outer_sku_id"] or "",
        title=row["title"],
        quantity=row["quantity"],
        price=_money(row["price_fen"], currency),
        discount=_money(row["discount_fen"], currency),
        paid=_money(row["paid_fen"], currency),
    )


def _refund(row: Row, own: Sequence[Row], currency: str) -> pb.Refund:
    stated = row["currency"] or currency
    return pb.Refund(
        refund_id=row["refund_id"],
        status=pb.RefundStatus.Value(f"REFUND_STATUS_{row['status']}"),
        amount=_money(row["amount_fen"], stated),
        at=row["at"],
        reason=row["reason"] or "",
        lines=[
            pb.RefundLine(
                line_id=line["line_id"],
                amount=_money(line["amount_fen"], stated),
                quantity=line["quantity"],
                unknown=not line["known"],
            )
            for line in own
        ],
    )


def _money(fen: int | None, currency: str) -> Money | None:
    """Absent for what the mall does not say."""
    return None if fen is None else Money(amount=fen, currency=currency)
