"""What a mall's facts tell of an order, for people: kept by a durable of its own, which reads the stream from its
beginning, so that it has what replicas of the release before took."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from bihuan.common.v1.money_pb2 import Money
from bihuan.mall.v1 import facts_pb2 as mall

from chassis.facts import Received
from chassis.outbox import Tx
from commerce.db.told import TOLD

# Fact → what it told, and the state of the order in which it was then.
KINDS: dict[type[Any], tuple[str, str | None]] = {
    mall.OrderCreated: ("created", "CREATED"),
    mall.OrderPaid: ("paid", "PAID"),
    mall.OrderShipped: ("shipped", "SHIPPED"),
    mall.OrderCompleted: ("completed", "COMPLETED"),
    mall.OrderClosed: ("closed", "CLOSED"),
    mall.RefundSucceeded: ("refunded", None),
}
# Of a message that was read anew (gateway.reread): which reading, and the message's own id.
READ_ANEW = re.compile(r"r(\d{4})-(.+)", re.DOTALL)


async def keep(tx: Tx, facts: Sequence[Received]) -> None:
    """Fits an idempotent durable."""
    await TOLD.save(tx.connection, [_row(fact) for fact in facts])


def _row(fact: Received) -> dict[str, Any]:
    message, ref = fact.message, fact.message.order
    kind, status = KINDS[type(message)]
    anew = READ_ANEW.fullmatch(fact.id)
    reading, message_id = (int(anew[1]), anew[2]) if anew else (1, fact.id)
    paid: Money | None = message.paid if isinstance(message, mall.OrderPaid) else None
    refunded: Money | None = message.amount if isinstance(message, mall.RefundSucceeded) else None
    told = paid or refunded
    return {
        "corp_id": fact.corp_id,
        "mall_id": ref.mall_id,
        "order_id": ref.order_id,
        "message_id": message_id,
        "version": reading,
        "kind": kind,
        "status": status,
        "at": ref.at.ToDatetime(UTC),
        "arrived_at": ref.arrived_at.ToDatetime(UTC),
        "currency": told.currency if told is not None else None,
        "paid_fen": paid.amount if paid is not None else None,
        "refunded_fen": refunded.amount if refunded is not None else None,
    }
