from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bihuan.commerce.v1 import order_service_pb2 as pb
from bihuan.commerce.v1 import order_service_pb2_grpc as grpc_pb
from bihuan.common.v1.money_pb2 import Money

from chassis.errors import NotFound
from chassis.kernel.caller import Caller, caller
from chassis.kernel.corps import Corps
from chassis.kernel.totals import LIMIT, total
from chassis.pool import Connection, Pool, Row
from commerce.db import lines, order_pages, refunds
from commerce.db import orders as db
from commerce.db.orders import Key
from commerce.rpc import order_messages, order_requests
from commerce.rpc.order_explanation import explained


class OrderServicer(grpc_pb.OrderServiceServicer):
    def __init__(self, pool: Pool, corps: Corps) -> None:
        self._pool, self._corps = pool, corps

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        me, wanted = caller(), order_requests.wanted(request)
        (page, after), counted = order_requests.page(request, wanted), 0
        found: Sequence[tuple[Key, Any]] = ()
        async with self._pool.acquire() as connection:
            listing = await order_pages.listing(connection, me.corp_id, me.confined_to, wanted, page.order_by)
            if listing is not None:
                found = await order_pages.page(connection, listing, after, page.size, descending=page.descending)
                if request.with_total:
                    counted = await order_pages.count(connection, listing, LIMIT)
            orders = await _shown(connection, [key for key, _ in found])
        return pb.ListOrdersResponse(
            orders=[orders[key] for key, _ in found if key in orders],
            next_page_token=order_requests.next_token(page, found),
            total=total(counted) if request.with_total else None,
        )

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:
        async with self._pool.acquire() as connection:
            order = await _order_of(connection, caller(), request)
        return pb.GetOrderResponse(order=order)

    async def ListOrderMessages(
        self, request: pb.ListOrderMessagesRequest, context: Any
    ) -> pb.ListOrderMessagesResponse:
        async with self._pool.acquire() as connection:
            order = await _order_of(connection, caller(), request)
            messages = await order_messages.of_order(connection, caller().corp_id, order)
        return pb.ListOrderMessagesResponse(messages=messages)

    async def ExplainOrder(self, request: pb.ExplainOrderRequest, context: Any) -> pb.ExplainOrderResponse:
        me = caller()
        async with self._pool.acquire() as connection:
            order = await _order_of(connection, me, request)
            return await explained(connection, me, self._corps.get(me.corp_id), order)


async def _order_of(connection: Connection, me: Caller, request: Any) -> pb.Order:
    """The order that the request names. Raises NotFound for one that is not there, or not in the caller's scope."""
    key = me.corp_id, request.mall_id, request.order_id
    own, order = me.confined_to, (await _shown(connection, [key])).get(key)
    if order is None:
        raise NotFound("ORDER_NOT_FOUND", field="orderId")
    if own is not None and not await order_pages.in_scope(connection, me.corp_id, own, order.customer_id or None):
        raise NotFound("ORDER_NOT_FOUND", field="orderId")
    return order


async def _shown(connection: Connection, keys: Sequence[Key]) -> dict[Key, pb.Order]:
    """The orders with their lines and refunds."""
    rows = await db.show(connection, keys)
    shown = {(row["corp_id"], row["mall_id"], row["order_id"]): _order(row) for row in rows}
    if not shown:
        return {}
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
    return shown


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
