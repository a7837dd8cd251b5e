"""The orders as a CSV file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.commerce.v1 import order_service_pb2 as pb

from chassis.csv_export import Cell, CsvExport, Export, moment
from chassis.kernel.corps import Corps
from chassis.pool import Pool
from commerce.rpc.order_requests import STATUS_HEAD
from commerce.rpc.orders import OrderServicer

KIND = "order-export"
HEADINGS = {
    "zh": (
        "店铺", "订单号", "状态", "下单时间", "付款时间", "订单金额", "实付金额", "退款金额", "币种",
        "客户编号", "归属员工", "归属渠道", "省", "市", "区", "商品",
    ),
    "en": (
        "Mall", "Order ID", "Status", "Created at", "Paid at", "Total", "Paid", "Refunded", "Currency",
        "Customer ID", "Employee", "Channel", "Province", "City", "County", "Products",
    ),
}  # fmt: skip


class ExportableOrders(OrderServicer):
    """`offer` makes an export of a runner (chassis.csv_export)."""

    def __init__(self, pool: Pool, corps: Corps, offer: Callable[[str, CsvExport], Export]) -> None:
        super().__init__(pool, corps)
        runner = CsvExport(
            request=pb.CreateOrderExportRequest,
            list_rows=self.ListOrders,
            rows="orders",
            headings=HEADINGS,
            cells=lambda corp_id, row: _cells(ZoneInfo(corps.get(corp_id).timezone), row),
            name="orders",
        )
        self._export = offer(KIND, runner)

    async def CreateOrderExport(
        self, request: pb.CreateOrderExportRequest, context: Any
    ) -> pb.CreateOrderExportResponse:
        return await self._export(request, pb.CreateOrderExportResponse)


def _cells(zone: ZoneInfo, order: pb.Order) -> Sequence[Cell]:
    return (
        order.mall_id,
        order.order_id,
        pb.OrderStatus.Name(order.status).removeprefix(STATUS_HEAD),
        moment(order.created_at if order.HasField("created_at") else None, zone),
        moment(order.paid_at if order.HasField("paid_at") else None, zone),
        # Malls count in hundredths, whatever the currency.
        Decimal(order.total.amount).scaleb(-2),
        Decimal(order.paid.amount).scaleb(-2),
        Decimal(order.refunded.amount).scaleb(-2),
        order.total.currency,
        order.customer_id,
        order.userid,
        order.channel_id,
        order.region.province,
        order.region.city,
        order.region.county,
        "; ".join(f"{one.title} x{one.quantity}" for one in order.lines),
    )
