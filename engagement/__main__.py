from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from bihuan.engagement.v1 import alert_service_pb2_grpc, touch_report_service_pb2_grpc, welcome_service_pb2_grpc
from bihuan.operations.v1 import (
    dead_letter_service_pb2,
    dead_letter_service_pb2_grpc,
    health_service_pb2,
    health_service_pb2_grpc,
)

from chassis.dead_letter_servicer import DeadLetterServicer
from chassis.effects import OneByOne
from chassis.health_servicer import HealthServicer
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.service import Service, run
from chassis.wecom.client import WeComs
from engagement.adapters.wecom import WeComVoice
from engagement.app import alerts, renames, welcomes
from engagement.app.alerts import AlertMessages
from engagement.app.media import Media
from engagement.app.renames import Renaming
from engagement.app.touch_days import TouchDays
from engagement.app.welcome_files import WELCOME_FILE, WELCOME_IMAGE
from engagement.app.welcomes import Welcomes
from engagement.consumers import Handlers
from engagement.db import touch_days
from engagement.rpc.alerts import AlertServicer
from engagement.rpc.touch_reports import TouchReportServicer
from engagement.rpc.welcomes import WelcomeServicer
from engagement.settings import Settings


async def build(service: Service, settings: Settings) -> None:
    wecoms = WeComs(service.js, service.sealer, service.corps, settings.stream_replicas)
    service.on_close(wecoms.close)
    voice = WeComVoice(wecoms)
    service.files.add(WELCOME_IMAGE)
    service.files.add(WELCOME_FILE)
    uploads = service.loop("welcome-media", Media(service.pool, service.files, voice).upload_due, interval=5)

    welcoming = service.effect(
        welcomes.KIND,
        Welcomes(service.outbox, voice, service.sealer),
        at_once=settings.welcomes_at_once,
        interval=0.25,
    )
    gather = timedelta(seconds=settings.alert_gather_seconds)
    messages = AlertMessages(service.outbox, voice, service.sealer, service.corps, gather, settings.public_url)
    service.effect(alerts.KIND, OneByOne(messages.perform), at_once=8, interval=0.5)
    service.effect(renames.KIND, OneByOne(Renaming(service.outbox).perform), at_once=1, interval=5)
    service.loop("renames-unfollowed", partial(renames.catch_up, service.outbox), interval=15)
    service.loop("welcomes-given-up", partial(welcomes.end_given_up, service.outbox), interval=5)
    service.loop("app-messages-left-behind", messages.make_due_again, interval=15)

    days = TouchDays(service.corps)
    for queue, marks, count, mark_all in (
        (touch_days.WELCOME_QUEUE, touch_days.WELCOME_MARKS, days.count_welcomes, touch_days.mark_all_welcomes),
        (touch_days.ALERT_QUEUE, touch_days.ALERT_MARKS, days.count_alerts, touch_days.mark_all_alerts),
    ):
        service.work_queue(queue, marks, count, key="mark_id", interval=0.5)
        recut = partial(mark_where_zones_changed, service.pool, service.corps, queue, mark_all)
        service.loop(f"{queue}-zones", recut, interval=60)

    handlers = Handlers(settings, service.sealer, service.identifiers)
    service.consume(*handlers.welcome_durables(), wakes=(welcoming,))
    service.consume(*handlers.alert_durables())

    service.serve(
        welcome_service_pb2_grpc.add_WelcomeServiceServicer_to_server,
        WelcomeServicer(service.outbox, service.once, service.sealer, service.files, uploads.wake),
    )
    service.serve(
        alert_service_pb2_grpc.add_AlertServiceServicer_to_server,
        AlertServicer(service.pool, service.sealer, service.corps),
    )
    service.serve(
        touch_report_service_pb2_grpc.add_TouchReportServiceServicer_to_server,
        TouchReportServicer(service.pool, service.corps),
    )
    service.serve(
        dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server,
        DeadLetterServicer(service.pool, service.js, dead_letter_service_pb2),
    )
    service.serve(
        health_service_pb2_grpc.add_HealthServiceServicer_to_server,
        HealthServicer(service.pool, service.js, service.consumers, health_service_pb2),
    )


if __name__ == "__main__":
    read = Settings()  # type: ignore[call-arg]  # from the environment
    run("engagement", read, Path(__file__).parent / "migrations", partial(build, settings=read))
