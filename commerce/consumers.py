"""Which facts commerce takes, and who takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bihuan.acquisition.v1.facts_pb2 import AcquisitionKind, CustomerAcquired
from bihuan.identity.v1.facts_pb2 import IdentifiersAssigned, RelationChanged, StaffPlaced, StaffRenamed
from bihuan.mall.v1.facts_pb2 import MessageUnread

from chassis.consumer import Durable
from chassis.facts import Received
from chassis.kernel.projections import assign_identifiers
from chassis.kernel.renames import remember, renames_in
from chassis.kernel.scope import place_staff
from chassis.moments import moment
from chassis.outbox import Tx
from commerce.app import orders, told
from commerce.app.order_messages import FACETS, read
from commerce.db import marks, projections, unread
from commerce.db.projections import Relation, Touch
from commerce.db.unread import Unread

ORDERS = "commerce-record-on-order-message"


async def attribute_on_identifiers_assigned(tx: Tx, facts: Sequence[Received]) -> None:
    assignments = [fact.message for fact in facts]
    left = await projections.left_behind(
        tx.connection,
        [(fact.corp_id, one, fact.message.customer_id) for fact in facts for one in fact.message.identifier_ids],
    )
    await marks.mark_people(tx.connection, [*await assign_identifiers(tx, assignments), *left])


async def attribute_on_relation_changed(tx: Tx, facts: Sequence[Received]) -> None:
    changed = await projections.save_relations(tx.connection, [_relation(fact.corp_id, fact.message) for fact in facts])
    await marks.mark_people(tx.connection, changed)


async def attribute_on_customer_acquired(tx: Tx, facts: Sequence[Received]) -> None:
    changed = await projections.save_touches(tx.connection, [_touch(fact.corp_id, fact.message) for fact in facts])
    await marks.mark_people(tx.connection, changed)


async def scope_on_staff_placed(tx: Tx, facts: Sequence[Received]) -> None:
    await place_staff(tx, [fact.message for fact in facts])


async def remember_on_staff_renamed(tx: Tx, facts: Sequence[Received]) -> None:
    """What is kept of relations and places moves by their own facts; alerts ask who was told under the former name."""
    await remember(tx.connection, renames_in(facts))


async def count_on_message_unread(tx: Tx, facts: Sequence[Received]) -> None:
    await unread.count(
        tx.connection,
        [
            Unread(fact.corp_id, fact.message.mall_id, fact.message.kind, moment(fact.message.arrived_at))
            for fact in facts
        ],
    )


def _relation(corp_id: str, message: RelationChanged) -> Relation:
    spans = tuple(
        (moment(span.added_at), moment(span.ended_at) if span.HasField("ended_at") else None) for span in message.spans
    )
    return Relation(corp_id, message.contact_id, message.userid, message.version, spans)


def _touch(corp_id: str, message: CustomerAcquired) -> Touch:
    return Touch(
        corp_id=corp_id,
        touch_id=message.touch_id,
        version=message.version,
        contact_id=message.contact.id,
        channel_id=message.channel_id,
        confirmation=message.kind == AcquisitionKind.ACQUISITION_KIND_CONFIRMED,
        added_at=moment(message.added_at),
    )


def durables(query_delay: timedelta) -> tuple[Durable, ...]:
    async def record_on_order_message(tx: Tx, facts: Sequence[Received]) -> None:
        await orders.record(tx, [read(fact) for fact in facts], ORDERS, query_delay)

    def from_identity(name: str, kind: type[Any], handle: Any) -> Durable:
        return Durable(name, "IDENTITY", (kind,), handle, idempotent=True)

    return (
        Durable(ORDERS, "EDGE", tuple(FACETS), record_on_order_message),
        Durable("commerce-keep-on-order-message", "EDGE", tuple(FACETS), told.keep, idempotent=True),
        Durable("commerce-count-on-message-unread", "EDGE", (MessageUnread,), count_on_message_unread),
        from_identity(
            "commerce-attribute-on-identifiers-assigned", IdentifiersAssigned, attribute_on_identifiers_assigned
        ),
        from_identity("commerce-attribute-on-relation-changed", RelationChanged, attribute_on_relation_changed),
        from_identity("commerce-scope-on-staff-placed", StaffPlaced, scope_on_staff_placed),
        from_identity("commerce-remember-on-staff-renamed", StaffRenamed, remember_on_staff_renamed),
        Durable(
            "commerce-attribute-on-customer-acquired",
            "ACQUISITION",
            (CustomerAcquired,),
            attribute_on_customer_acquired,
            idempotent=True,
        ),
    )
