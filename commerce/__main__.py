from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from bihuan.commerce.v1 import (
    gmv_service_pb2_grpc,
    mall_service_pb2_grpc,
    order_service_pb2_grpc,
    sales_report_service_pb2_grpc,
)
from bihuan.operations.v1 import (
    dead_letter_service_pb2,
    dead_letter_service_pb2_grpc,
    health_service_pb2,
    health_service_pb2_grpc,
)

from chassis import csv_export
from chassis.dead_letter_servicer import DeadLetterServicer
from chassis.health_servicer import HealthServicer
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.kernel.members import IdentityMembers
from chassis.last_seen import LastSeen
from chassis.rpc import channel
from chassis.service import Service, run
from commerce import consumers
from commerce.adapters.malls import PLATFORMS, MallBook
from commerce.app import attribution, buyers
from commerce.app.attribution import Attribution
from commerce.app.buyers import BuyerQueries
from commerce.app.sale_days import SaleDays
from commerce.db import order_messages, sale_days
from commerce.rpc.gmv import GmvServicer
from commerce.rpc.malls import MallServicer
from commerce.rpc.order_export import ExportableOrders
from commerce.rpc.sales_report import SalesReportServicer
from commerce.settings import Settings


async def build(service: Service, settings: Settings) -> None:
    book = MallBook(service.corps, service.js, service.sealer, settings.stream_replicas)
    service.on_close(book.close)
    service.effect(
        buyers.KIND,
        BuyerQueries(service.outbox, book, service.sealer, service.identifiers, book.scope_of),
        at_once=settings.buyer_queries_at_once,
        interval=0.5,
        attempts=buyers.MOST_ATTEMPTS,
    )

    attribute = Attribution(service.corps).attribute
    marks = service.work_queue(attribution.QUEUE, attribution.TABLE, attribute, key=attribution.KEY, interval=0.5)
    service.loop("attribution-catch-up", partial(attribution.catch_up, service.pool), interval=1.0)
    days = SaleDays(service.corps)
    service.work_queue(sale_days.QUEUE, sale_days.MARKS, days.count, key=sale_days.KEY, interval=0.5)
    mark_zones = partial(mark_where_zones_changed, service.pool, service.corps, sale_days.QUEUE, sale_days.mark_all)
    service.loop("sale-day-zones", mark_zones, interval=60)
    forget = partial(order_messages.forget_old, service.pool, settings.order_messages_kept_days)
    service.loop("order-messages-forget", forget, interval=3600)
    delay = timedelta(seconds=settings.buyer_query_delay_seconds)
    service.consume(*consumers.durables(delay), wakes=(marks,))

    identity = channel(settings.identity_address)
    service.on_close(identity.close)
    members = IdentityMembers(identity, settings.service_key)
    orders = ExportableOrders(service.pool, service.corps, partial(csv_export.offer, service, members))
    service.serve(order_service_pb2_grpc.add_OrderServiceServicer_to_server, orders)
    service.serve(gmv_service_pb2_grpc.add_GmvServiceServicer_to_server, GmvServicer(service.pool))
    malls = MallServicer(service.pool, service.corps, LastSeen(service.js), frozenset(PLATFORMS))
    service.serve(mall_service_pb2_grpc.add_MallServiceServicer_to_server, malls)
    service.serve(
        sales_report_service_pb2_grpc.add_SalesReportServiceServicer_to_server,
        SalesReportServicer(service.pool, service.corps),
    )
    service.serve(
        dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server,
        DeadLetterServicer(service.pool, service.js, dead_letter_service_pb2),
    )
    service.serve(
        health_service_pb2_grpc.add_HealthServiceServicer_to_server,
        HealthServicer(
            service.pool,
            service.js,
            service.consumers,
            health_service_pb2,
            sources=lambda corp_id: (f"mall.{one.id}" for one in service.corps.get(corp_id).mall),
        ),
    )


if __name__ == "__main__":
    read = Settings()  # type: ignore[call-arg]  # from the environment
    run("commerce", read, Path(__file__).parent / "migrations", partial(build, settings=read))
