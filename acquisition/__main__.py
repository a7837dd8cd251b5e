from __future__ import annotations

from functools import partial
from pathlib import Path

from bihuan.acquisition.v1 import add_report_service_pb2_grpc, channel_service_pb2_grpc, live_code_service_pb2_grpc
from bihuan.operations.v1 import (
    dead_letter_service_pb2,
    dead_letter_service_pb2_grpc,
    health_service_pb2,
    health_service_pb2_grpc,
)

from acquisition import consumers
from acquisition.adapters.wecom import WeComContactWays
from acquisition.app import live_codes, renames
from acquisition.app.add_days import AddDays
from acquisition.app.channels import Channels, state_unstated
from acquisition.app.live_codes import LiveCodes
from acquisition.app.renames import Renaming
from acquisition.app.touches import catch_up
from acquisition.db.add_days import MARKS, QUEUE, mark_all
from acquisition.db.channels import ensure_default
from acquisition.rpc.add_report import AddReportServicer
from acquisition.rpc.channels import ChannelServicer
from acquisition.rpc.live_codes import LiveCodeServicer
from acquisition.settings import Settings
from chassis.dead_letter_servicer import DeadLetterServicer
from chassis.effects import OneByOne
from chassis.health_servicer import HealthServicer
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.service import Service, run
from chassis.wecom.client import WeComs


async def build(service: Service) -> None:
    wecoms = WeComs(service.js, service.sealer, service.corps, service.settings.stream_replicas)
    service.on_close(wecoms.close)
    codes = LiveCodes(service.outbox, WeComContactWays(wecoms))
    made = service.effect(live_codes.KIND, OneByOne(codes.perform), at_once=4, interval=1)
    updated = service.effect(live_codes.UPDATE_KIND, OneByOne(codes.perform_update), at_once=4, interval=1)

    def wake() -> None:
        made.wake()
        updated.wake()

    renaming = service.effect(renames.KIND, OneByOne(Renaming(service.outbox).perform), at_once=1, interval=1)
    service.loop("renames-unfollowed", partial(renames.catch_up, service.outbox), interval=15)
    stating = service.loop("channels-unstated", partial(state_unstated, service.outbox), interval=15)
    service.loop("touch-kinds", partial(catch_up, service.outbox), interval=15)

    days = AddDays(service.corps)
    add_days = service.work_queue(QUEUE, MARKS, days.count, key="mark_id", interval=0.5)
    service.loop(
        "add-day-zones", partial(mark_where_zones_changed, service.pool, service.corps, QUEUE, mark_all), interval=60
    )

    service.consume(*(one for one in consumers.DURABLES if one is not consumers.RENAMES), wakes=(add_days,))
    service.consume(consumers.RENAMES, wakes=(renaming,))
    service.serve(
        channel_service_pb2_grpc.add_ChannelServiceServicer_to_server,
        ChannelServicer(service.pool, Channels(service.outbox), service.once, stating.wake),
    )
    service.serve(
        add_report_service_pb2_grpc.add_AddReportServiceServicer_to_server,
        AddReportServicer(service.pool, service.corps),
    )
    service.serve(
        live_code_service_pb2_grpc.add_LiveCodeServiceServicer_to_server,
        LiveCodeServicer(service.pool, codes, service.once, wake),
    )
    service.serve(
        dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server,
        DeadLetterServicer(service.pool, service.js, dead_letter_service_pb2),
    )
    service.serve(
        health_service_pb2_grpc.add_HealthServiceServicer_to_server,
        HealthServicer(service.pool, service.js, service.consumers, health_service_pb2),
    )
    async with service.pool.acquire() as connection:
        await ensure_default(connection, (corp.corp_id for corp in service.corps))


if __name__ == "__main__":
    run("acquisition", Settings(), Path(__file__).parent / "migrations", build)  # type: ignore[call-arg]
