from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from bihuan.identity.v1 import (
    customer_service_pb2_grpc,
    identifier_policy_service_pb2_grpc,
    link_service_pb2_grpc,
    page_service_pb2_grpc,
    relation_report_service_pb2_grpc,
    staff_service_pb2_grpc,
)
from bihuan.operations.v1 import (
    dead_letter_service_pb2,
    dead_letter_service_pb2_grpc,
    health_service_pb2,
    health_service_pb2_grpc,
)

from chassis import csv_export
from chassis.dead_letter_servicer import DeadLetterServicer
from chassis.effects import OneByOne
from chassis.health_servicer import HealthServicer
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.service import Service, run
from chassis.wecom.client import WeComs
from chassis.wecom.tickets import Tickets
from identity import consumers
from identity.adapters.wecom import WeComBook
from identity.app import contacts, staff
from identity.app.access import Access, LocalMembers
from identity.app.contacts import ContactReads
from identity.app.customers import JUDGED, Judging
from identity.app.gaps import RelationGaps
from identity.app.links import Links
from identity.app.names import CatchingUp, NamePrefixes
from identity.app.pages import PageSigning
from identity.app.policies import APPLIED, Applying, IdentifierPolicies
from identity.app.relation_days import RelationDays
from identity.app.renames import MOVE, Moving
from identity.app.staff import Staff
from identity.db.access import seed_roles
from identity.db.relation_days import MARKS, QUEUE, mark_all
from identity.rpc.access import AccessServicer
from identity.rpc.customer_export import ExportableCustomers
from identity.rpc.links import LinkServicer
from identity.rpc.pages import PageServicer
from identity.rpc.policies import IdentifierPolicyServicer
from identity.rpc.relation_report import RelationReportServicer
from identity.rpc.staff import StaffServicer
from identity.settings import Settings


async def build(service: Service, settings: Settings) -> None:
    wecoms = WeComs(service.js, service.sealer, service.corps, settings.stream_replicas)
    service.on_close(wecoms.close)
    book = WeComBook(wecoms)

    reads = ContactReads(service.outbox, book, service.sealer, service.identifiers)
    reading = service.effect(contacts.KIND, reads, at_once=settings.contact_reads_at_once, interval=0.5)
    members = Staff(
        service.outbox, book, service.sealer, service.identifiers, timedelta(seconds=settings.staff_sync_seconds)
    )
    books = service.effect(staff.BOOK, OneByOne(members.perform_book), at_once=1, interval=2, attempts=None)
    member_reads = service.effect(staff.MEMBER, OneByOne(members.perform_member), at_once=4, interval=1)

    service.effect(APPLIED, OneByOne(Applying(service.outbox).perform), at_once=1, interval=2)
    service.effect(JUDGED, OneByOne(Judging(service.outbox).perform), at_once=4, interval=5)
    moving = service.effect(MOVE, OneByOne(Moving(service.outbox).perform), at_once=4, interval=1)

    days = service.work_queue(QUEUE, MARKS, RelationDays(service.corps).count, key="mark_id", interval=0.5)
    service.loop(
        "relation-day-zones",
        partial(mark_where_zones_changed, service.pool, service.corps, QUEUE, mark_all),
        interval=60,
    )

    durables = {durable.name: durable for durable in consumers.durables(service.corps)}
    service.consume(durables.pop(consumers.CONTACTS.name), wakes=(reading, days))
    service.consume(durables.pop(consumers.STAFF.name), wakes=(books, member_reads))
    service.consume(durables.pop(consumers.RENAMES.name), wakes=(moving,))
    service.consume(*durables.values())

    names = NamePrefixes(service.identifiers)
    service.loop("names-unprefixed", CatchingUp(service.outbox, service.sealer, names).work, interval=15)

    access = Access(service.pool, book)
    service.loop("sessions-forget", access.forget_sessions, interval=3600)
    service.serve(
        customer_service_pb2_grpc.add_CustomerServiceServicer_to_server,
        ExportableCustomers(
            service.pool,
            service.sealer,
            service.identifiers,
            service.corps,
            partial(csv_export.offer, service, LocalMembers(access)),
        ),
    )
    service.serve(
        staff_service_pb2_grpc.add_StaffServiceServicer_to_server,
        StaffServicer(
            service.pool, service.sealer, names, members, RelationGaps(service.pool, book, service.identifiers)
        ),
    )
    service.serve(
        staff_service_pb2_grpc.add_AccessServiceServicer_to_server,
        AccessServicer(access, service.sealer, service.once, service.corps),
    )
    service.serve(
        relation_report_service_pb2_grpc.add_RelationReportServiceServicer_to_server,
        RelationReportServicer(service.pool, service.corps),
    )
    service.serve(
        identifier_policy_service_pb2_grpc.add_IdentifierPolicyServiceServicer_to_server,
        IdentifierPolicyServicer(IdentifierPolicies(service.outbox, service.identifiers, service.corps)),
    )
    service.serve(
        link_service_pb2_grpc.add_LinkServiceServicer_to_server, LinkServicer(Links(service.outbox), service.once)
    )
    tickets = Tickets(service.js, service.sealer, wecoms, settings.stream_replicas)
    service.serve(
        page_service_pb2_grpc.add_PageServiceServicer_to_server,
        PageServicer(PageSigning(tickets, settings.public_url)),
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
            sources=lambda corp_id: (f"callback.{one.agent_id}" for one in service.corps.get(corp_id).app),
            quotas=True,
        ),
    )

    corps = list(service.corps)
    async with service.pool.acquire() as connection:
        await seed_roles(
            connection, [(corp.corp_id, grant.userid.lower(), grant.role) for corp in corps for grant in corp.role]
        )
    await members.schedule(corp.corp_id for corp in corps)


if __name__ == "__main__":
    read = Settings()  # type: ignore[call-arg]  # from the environment
    run("identity", read, Path(__file__).parent / "migrations", partial(build, settings=read))
