"""A mall's facts about orders in the terms of the domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from bihuan.mall.v1 import facts_pb2 as mall
from google.protobuf.message import Message

from chassis.errors import Invalid
from chassis.facts import Received, decode, subject_of, type_of
from commerce.domain.orders import Buyer, Facet, Line, rank_of
from commerce.domain.refunds import Refund, RefundLine

Key = tuple[str, str, str]  # corp, mall, order


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """One message about one order."""

    key: Key
    fact: Received
    rank: str
    facets: tuple[Facet, ...] = ()
    # The currency in which the message states the order's money; None when it states none.
    currency: str | None = None
    buyer: Buyer | None = None
    lines: tuple[Line, ...] = ()
    refund: Refund | None = None


def read(fact: Received) -> OrderMessage:
    """Raises Invalid for a message that contradicts itself."""
    message, ref = fact.message, fact.message.order
    key, rank = (fact.corp_id, ref.mall_id, ref.order_id), rank_of(ref.version, fact.id)
    if isinstance(message, mall.RefundSucceeded):
        return OrderMessage(key, fact, rank, refund=_refund(message))
    facets = FACETS[type(message)](message, fact.id)
    if not isinstance(message, (mall.OrderCreated, mall.OrderPaid)):
        return OrderMessage(key, fact, rank, facets)
    return OrderMessage(
        key, fact, rank, facets, currency=_currency(message), buyer=_buyer(message.detail), lines=_lines(message.detail)
    )


def reread(corp_id: str, fact_id: str, name: str, payload: bytes) -> OrderMessage:
    """A message that was kept (`kept`), dressed as the fact that it came in."""
    kind = KINDS[name]
    headers = {"ce-specversion": "1.0", "ce-id": fact_id, "ce-type": name, "ce-source": "/gateway", "corp-id": corp_id}
    return read(decode({name: kind}, subject_of(kind), headers, payload))


def kept(fact: Received) -> bytes:
    """The fact's payload without the mall's own message, which lies in the stream."""
    if not fact.message.order.sealed_message:
        return fact.payload
    lean: Message = type(fact.message)()
    lean.CopyFrom(fact.message)
    lean.order.ClearField("sealed_message")  # type: ignore[attr-defined]
    return lean.SerializeToString()


def _currency(message: mall.OrderCreated | mall.OrderPaid) -> str:
    currency = message.detail.total.currency
    if isinstance(message, mall.OrderPaid) and message.paid.currency != currency:
        raise Invalid("CURRENCY_MIXED", "total and payment differ in currency", field="paid", expected=currency)
    return currency


def _buyer(detail: mall.OrderDetail) -> Buyer | None:
    return Buyer(detail.buyer[0].kind, detail.buyer[0].id, detail.buyer[0].sealed) if detail.buyer else None


def _lines(detail: mall.OrderDetail) -> tuple[Line, ...]:
    return tuple(
        Line(
            line_id=line.line_id,
            product_id=line.product_id,
            title=line.title,
            quantity=line.quantity,
            paid_fen=line.paid.amount,
            sku_id=line.sku_id,
            outer_product_id=line.outer_product_id,
            outer_sku_id=line.outer_sku_id,
            price_fen=line.price.amount if line.HasField("price") else None,
            discount_fen=line.discount.amount if line.HasField("discount") else None,
        )
        for line in detail.lines
    )


def _refund(message: mall.RefundSucceeded) -> Refund:
    return Refund(
        refund_id=message.refund_id,
        amount_fen=message.amount.amount,
        currency=message.amount.currency,
        at=message.order.at.ToDatetime(UTC),
        arrived_at=message.order.arrived_at.ToDatetime(UTC),
        reason=message.reason,
        lines=tuple(RefundLine(line.line_id, line.amount.amount, line.quantity) for line in message.lines),
    )


def _detail(message: mall.OrderCreated | mall.OrderPaid, fact_id: str) -> tuple[Facet, ...]:
    """A message that names no buyer says nothing about them: the buyer is a facet of its own."""
    version, detail = message.order.version, message.detail
    columns = {
        "currency": detail.total.currency,
        "total_fen": detail.total.amount,
        "created_at": detail.created_at.ToDatetime(UTC),
        "province": detail.region.province,
        "city": detail.region.city,
        "county": detail.region.county,
        "source": detail.source,
        "channel": detail.channel,
    }
    said = (Facet("detail", version, fact_id, columns),)
    return (*said, Facet("buyer", version, fact_id, {"buyer_id": detail.buyer[0].id})) if detail.buyer else said


def _paid(message: mall.OrderPaid, fact_id: str) -> tuple[Facet, ...]:
    columns = {
        "paid_fen": message.paid.amount,
        "paid_at": message.paid_at.ToDatetime(UTC),
        "paid_arrived_at": message.order.arrived_at.ToDatetime(UTC),
    }
    return (*_detail(message, fact_id), Facet("paid", message.order.version, fact_id, columns))


def _moment(name: str, message: Any, fact_id: str, **columns: Any) -> tuple[Facet, ...]:
    at = message.order.at.ToDatetime(UTC)
    return (Facet(name, message.order.version, fact_id, {f"{name}_at": at, **columns}),)


FACETS: dict[type[Message], Callable[[Any, str], tuple[Facet, ...]]] = {
    mall.OrderCreated: _detail,
    mall.OrderPaid: _paid,
    mall.OrderShipped: lambda m, i: _moment("shipped", m, i),
    mall.OrderCompleted: lambda m, i: _moment("completed", m, i),
    mall.OrderClosed: lambda m, i: _moment("closed", m, i, close_reason=m.reason),
    mall.RefundSucceeded: lambda m, i: (),
}
KINDS = {type_of(kind): kind for kind in FACETS}
