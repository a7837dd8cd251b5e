from __future__ import annotations

from typing import Any

from bihuan.commerce.v1 import gmv_service_pb2 as pb
from bihuan.commerce.v1 import gmv_service_pb2_grpc as grpc_pb
from bihuan.common.v1.money_pb2 import Money

from chassis.kernel.caller import caller
from chassis.moments import as_of
from chassis.pool import Pool
from commerce.db import gmv as db
from commerce.domain.gmv import average
from commerce.rpc.currency import currency_of

# A currency in which nothing was paid.
NONE = {"orders": 0, "gmv": 0, "refunded": 0, "buyers": 0, "repeat_buyers": 0}


class GmvServicer(grpc_pb.GmvServiceServicer):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def GetOrderFigures(self, request: pb.GetOrderFiguresRequest, context: Any) -> pb.GetOrderFiguresResponse:
        moment, currency = as_of(request), currency_of(request.currency)
        async with self._pool.acquire() as connection:
            statuses = await db.by_status(connection, caller().corp_id, moment)
            totals = await db.totals(connection, caller().corp_id, moment)
        row = dict(totals[currency]) if currency in totals else NONE
        figures = pb.GetOrderFiguresResponse(
            by_status=[
                pb.OrderCount(status=f"ORDER_STATUS_{status}", orders=count) for status, count in statuses.items()
            ],
            paid_orders=row["orders"],
            gmv_paid=Money(amount=row["gmv"], currency=currency),
            refunded=Money(amount=row["refunded"], currency=currency),
            net=Money(amount=row["gmv"] - row["refunded"], currency=currency),
            buyers=row["buyers"],
            repeat_buyers=row["repeat_buyers"],
            currencies=totals,
        )
        if row["orders"]:
            value = Money(amount=average(row["gmv"], row["orders"]), currency=currency)
            figures.average_order_value.CopyFrom(value)
        if row["buyers"]:
            figures.repurchase_rate = row["repeat_buyers"] / row["buyers"]
        return figures

    async def GetGmvByChannel(self, request: pb.GetGmvByChannelRequest, context: Any) -> pb.GetGmvByChannelResponse:
        return pb.GetGmvByChannelResponse(channels=await self._shares(request, "channel_id"))

    async def GetGmvByStaff(self, request: pb.GetGmvByStaffRequest, context: Any) -> pb.GetGmvByStaffResponse:
        return pb.GetGmvByStaffResponse(staff=await self._shares(request, "userid"))

    async def _shares(self, request: Any, by: str) -> list[pb.GmvShare]:
        currency = currency_of(request.currency)
        async with self._pool.acquire() as connection:
            rows = await db.shares(connection, caller().corp_id, as_of(request), currency, by)
        return [
            pb.GmvShare(
                key=row["key"] or "",
                paid_orders=row["orders"],
                gmv_paid=Money(amount=row["gmv"], currency=currency),
                refunded=Money(amount=row["refunded"], currency=currency),
            )
            for row in rows
        ]
