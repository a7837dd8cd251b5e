"""Which facts commerce takes, and who takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from typing import Any

from bihuan.acquisition.v1.facts_pb2 import AcquisitionKind, CustomerAcquired
from bihuan.identity.v1.facts_pb2 import IdentifiersAssigned, RelationChanged, StaffPlaced
from bihuan.mall.v1 import facts_pb2 as mall

from chassis.consumer import Durable
from chassis.facts import Received
from chassis.kernel.projections import assign_identifiers
from chassis.kernel.scope import place_staff
from chassis.outbox import Tx
from commerce.app.orders import Buyer, Line, OrderMessage, take
from commerce.db import attribution
from commerce.domain.orders import Facet, Refund

ORDERS = "commerce-record-on-order-message"


def _detail(message: Any, fact_id: str) -> Facet:
    detail = message.detail
    return Facet(
        "detail",
        message.order.version,
        fact_id,
        {
            "buyer_id": detail.buyer[0].id if detail.buyer else None,
            "currency": detail.total.currency,
            "total_fen": detail.total.amount,
            "created_at": detail.created_at.ToDatetime(UTC),
        },
    )


def _paid(message: mall.OrderPaid, fact_id: str) -> Facet:
    return Facet(
        "paid",
        message.order.version,
        fact_id,
        {
            "paid_fen": message.paid.amount,
            "paid_at": message.paid_at.ToDatetime(UTC),
            "paid_arrived_at": message.order.arrived_at.ToDatetime(UTC),
        },
    )


def _moment(name: str, message: Any, fact_id: str, **columns: Any) -> Facet:
    return Facet(name, message.order.version, fact_id, {f"{name}_at": message.order.at.ToDatetime(UTC), **columns})


FACETS: dict[type, Callable[[Any, str], tuple[Facet, ...]]] = {
    mall.OrderCreated: lambda m, i: (_detail(m, i),),
    mall.OrderPaid: lambda m, i: (_detail(m, i), _paid(m, i)),
    mall.OrderShipped: lambda m, i: (_moment("shipped", m, i),),
    mall.OrderCompleted: lambda m, i: (_moment("completed", m, i),),
    mall.OrderClosed: lambda m, i: (_moment("closed", m, i, close_reason=m.reason),),
    mall.RefundSucceeded: lambda m, i: (),
}


def read(fact: Received) -> OrderMessage:
    """A mall fact in the terms of the domain."""
    message, ref = fact.message, fact.message.order
    key = (fact.corp_id, ref.mall_id, ref.order_id)
    facets = FACETS[type(message)](message, fact.id)
    if isinstance(message, mall.RefundSucceeded):
        refund = Refund(message.refund_id, message.amount.amount, ref.at.ToDatetime(UTC))
        return OrderMessage(key, facets, refund=refund, fact=fact)
    if not isinstance(message, (mall.OrderCreated, mall.OrderPaid)):
        return OrderMessage(key, facets)
    names = message.detail.buyer
    buyer = Buyer(names[0].kind, names[0].id, names[0].sealed) if names else None
    lines = tuple(
        Line(line.line_id, line.product_id, line.title, line.quantity, line.paid.amount)
        for line in message.detail.lines
    )
    return OrderMessage(key, facets, buyer, lines)


async def attribute_on_identifiers_assigned(tx: Tx, facts: Sequence[Received]) -> None:
    await assign_identifiers(tx, [fact.message for fact in facts])
    await attribution.mark_people(
        tx.connection, [(fact.corp_id, one) for fact in facts for one in fact.message.identifier_ids]
    )


async def attribute_on_relation_changed(tx: Tx, facts: Sequence[Received]) -> None:
    newest: dict[tuple[str, str, str], RelationChanged] = {}
    for fact in facts:
        key = (fact.corp_id, fact.message.contact_id, fact.message.userid)
        if key not in newest or newest[key].version < fact.message.version:
            newest[key] = fact.message
    relations = {
        key: (
            message.version,
            [
                (span.added_at.ToDatetime(UTC), span.ended_at.ToDatetime(UTC) if span.HasField("ended_at") else None)
                for span in message.spans
            ],
        )
        for key, message in newest.items()
    }
    await attribution.save_relations(tx.connection, relations)
    await attribution.mark_people(tx.connection, [(corp_id, contact_id) for corp_id, contact_id, _ in newest])


async def attribute_on_customer_acquired(tx: Tx, facts: Sequence[Received]) -> None:
    newest: dict[tuple[str, str], CustomerAcquired] = {}
    for fact in facts:
        key = (fact.corp_id, fact.message.touch_id)
        if key not in newest or newest[key].version < fact.message.version:
            newest[key] = fact.message
    await attribution.save_touches(
        tx.connection,
        [
            (
                corp_id,
                touch_id,
                message.contact.id,
                message.channel_id,
                message.kind == AcquisitionKind.ACQUISITION_KIND_CONFIRMED,
                message.added_at.ToDatetime(UTC),
                message.version,
            )
            for (corp_id, touch_id), message in newest.items()
        ],
    )
    await attribution.mark_people(tx.connection, [(corp_id, m.contact.id) for (corp_id, _), m in newest.items()])


async def scope_on_staff_placed(tx: Tx, facts: Sequence[Received]) -> None:
    await place_staff(tx, [fact.message for fact in facts])


def durables(query_delay: timedelta) -> tuple[Durable, ...]:
    async def record_on_order_message(tx: Tx, facts: Sequence[Received]) -> None:
        await take(tx, [read(fact) for fact in facts], ORDERS, query_delay)

    return (
        Durable(ORDERS, "EDGE", tuple(FACETS), record_on_order_message),  # type: ignore[arg-type]
        Durable(
            "commerce-attribute-on-identifiers-assigned",
            "IDENTITY",
            (IdentifiersAssigned,),
            attribute_on_identifiers_assigned,
        ),
        Durable(
            "commerce-attribute-on-relation-changed", "IDENTITY", (RelationChanged,), attribute_on_relation_changed
        ),
        Durable(
            "commerce-attribute-on-customer-acquired",
            "ACQUISITION",
            (CustomerAcquired,),
            attribute_on_customer_acquired,
        ),
        Durable("commerce-scope-on-staff-placed", "IDENTITY", (StaffPlaced,), scope_on_staff_placed),
    )
