"""The customers as a CSV file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.identity.v1 import customer_service_pb2 as pb

from chassis.csv_export import Cell, CsvExport, Export, moment
from chassis.kernel.corps import Corps
from chassis.kernel.identifiers import Identifiers
from chassis.pool import Pool
from chassis.sealing import Sealer
from identity.rpc.customers import CustomerServicer

KIND = "customer-export"
HEADINGS = {
    "zh": ("客户编号", "姓名", "外部联系人ID", "跟进员工", "最近添加时间", "建档时间", "成交订单数", "净成交额（元）"),
    "en": (
        "Customer ID",
        "Name",
        "External user ID",
        "Followed by",
        "Last added at",
        "Created at",
        "Paid orders",
        "Net paid (CNY)",
    ),
}


class ExportableCustomers(CustomerServicer):
    """`offer` makes an export of a runner (chassis.csv_export)."""

    def __init__(
        self,
        pool: Pool,
        sealer: Sealer,
        identifiers: Identifiers,
        corps: Corps,
        offer: Callable[[str, CsvExport], Export],
    ) -> None:
        super().__init__(pool, sealer, identifiers)
        runner = CsvExport(
            request=pb.CreateCustomerExportRequest,
            list_rows=self.ListCustomers,
            rows="customers",
            headings=HEADINGS,
            cells=lambda corp_id, row: _cells(ZoneInfo(corps.get(corp_id).timezone), row),
            name="customers",
        )
        self._export = offer(KIND, runner)

    async def CreateCustomerExport(
        self, request: pb.CreateCustomerExportRequest, context: Any
    ) -> pb.CreateCustomerExportResponse:
        return await self._export(request, pb.CreateCustomerExportResponse)


def _cells(zone: ZoneInfo, customer: pb.Customer) -> Sequence[Cell]:
    living = [one for one in customer.relations if not one.HasField("ended_at")]
    added = max((one.added_at.ToMicroseconds() for one in living), default=None)
    newest = next((one.added_at for one in living if one.added_at.ToMicroseconds() == added), None)
    return (
        customer.customer_id,
        customer.name,
        "; ".join(one.value for one in customer.identifiers if one.kind == "external_userid" and one.value),
        "; ".join(one.userid for one in living),
        moment(newest, zone),
        moment(customer.created_at, zone),
        customer.paid_orders,
        Decimal(customer.net_paid_fen).scaleb(-2),
    )
