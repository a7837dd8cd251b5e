from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bihuan.commerce.v1 import sales_report_service_pb2 as pb
from bihuan.commerce.v1 import sales_report_service_pb2_grpc as grpc_pb
from bihuan.common.v1.money_pb2 import Money

from chassis import paging
from chassis.kernel.caller import caller
from chassis.kernel.corps import Corps
from chassis.kernel.periods import Period, dimension_of, period_of
from chassis.kernel.staff_filter import departments_of, wanted_staff
from chassis.pool import Pool, Row
from commerce.db import sales_reports as db
from commerce.domain.gmv import average
from commerce.rpc.currency import currency_of
from commerce.rpc.order_requests import mall_id_of

MOST_ROWS = 1000


class Sums:
    """Orders and money of one currency, added up."""

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self.orders = self.paid_fen = self.refunded_fen = 0

    def add(self, row: Row) -> None:
        self.orders += row["paid_orders"]
        self.paid_fen += row["paid_fen"]
        self.refunded_fen += row["refunded_fen"]

    def shown(self, key: str = "") -> pb.SalesReportRow:
        row = pb.SalesReportRow(
            key=key,
            paid_orders=self.orders,
            gmv_paid=self._money(self.paid_fen),
            refunded=self._money(self.refunded_fen),
            net=self._money(self.paid_fen - self.refunded_fen),
        )
        if self.orders:
            row.average_order_value.CopyFrom(self._money(average(self.paid_fen, self.orders)))
        return row

    def _money(self, fen: int) -> Money:
        return Money(amount=fen, currency=self._currency)


class SalesReportServicer(grpc_pb.SalesReportServiceServicer):
    def __init__(self, pool: Pool, corps: Corps) -> None:
        self._pool, self._corps = pool, corps

    async def GetSalesReport(self, request: pb.GetSalesReportRequest, context: Any) -> pb.GetSalesReportResponse:
        me = caller()
        by = dimension_of(request, "DAY", "CHANNEL", "STAFF", "DEPARTMENT", "MALL")
        period, currency = period_of(request, self._corps.get(me.corp_id)), currency_of(request.currency)
        channel_id = paging.uuid(request.channel_id, "channelId") if request.channel_id else None
        mall_id, departments = mall_id_of(request.mall_id), dict[str, Sequence[int]]()
        async with self._pool.acquire() as connection:
            userids = await wanted_staff(
                connection,
                me.corp_id,
                confined_to=me.confined_to,
                userid=request.userid,
                department_id=request.department_id if request.HasField("department_id") else None,
            )
            wanted = db.Wanted(me.corp_id, channel_id, mall_id, None if userids is None else sorted(userids))
            told = await db.sums(connection, wanted, period.first, period.last, by)
            rows = [row for row in told if row["currency"] == currency]
            if by == "DEPARTMENT":
                departments |= await departments_of(
                    connection, me.corp_id, sorted({row["userid"] for row in rows if row["userid"]})
                )
            buyers = await db.buyers(connection, wanted, period.since, period.until, currency)
        total, sums = Sums(currency), defaultdict[str, Sums](lambda: Sums(currency))
        for row in rows:
            total.add(row)
            for key in _keys(by, row, departments):
                sums[key].add(row)
        return pb.GetSalesReportResponse(
            rows=_shown(by, period, sums),
            total=total.shown(),
            buyers=buyers["buyers"],
            repeat_buyers=buyers["repeat_buyers"],
            repurchase_rate=buyers["repeat_buyers"] / buyers["buyers"] if buyers["buyers"] else None,
            currencies=sorted({row["currency"] for row in told}),
        )


def _keys(by: str, row: Row, departments: Mapping[str, Sequence[int]]) -> Iterable[str]:
    return map(str, departments.get(row["userid"], ())) if by == "DEPARTMENT" else [row["key"]]


def _shown(by: str, period: Period, sums: defaultdict[str, Sums]) -> list[pb.SalesReportRow]:
    if by == "DAY":
        return [sums[day.isoformat()].shown(day.isoformat()) for day in period.days()]
    ordered = sorted(sums.items(), key=lambda pair: (-pair[1].paid_fen, -pair[1].orders, pair[0]))
    return [one.shown(key) for key, one in ordered[:MOST_ROWS]]
