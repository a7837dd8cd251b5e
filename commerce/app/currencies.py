"""An order that changes its currency: the messages that were wrong are dead-lettered, whichever came first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis import dead_letters
from chassis.outbox import Tx
from chassis.pool import Row
from commerce.app.order_messages import Key, OrderMessage, kept, reread
from commerce.db import order_messages as db
from commerce.domain.currencies import Stated, currency_of
from commerce.domain.orders import MONEY_FACETS

# The columns of an order that state money, as they are before any message.
NOTHING_YET: Mapping[str, Any] = {f"{name}_rank": None for name in MONEY_FACETS} | dict.fromkeys(
    (
        *("currency", "currency_rank", "total_fen", "created_at", "province", "city", "county", "source", "channel"),
        *("buyer_id", "paid_fen", "paid_at", "paid_arrived_at"),
    )
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order as it stands, and the messages to fold into it."""

    order: Mapping[str, Any]
    messages: Sequence[OrderMessage]


async def sort_out(
    tx: Tx, by_order: Mapping[Key, Sequence[OrderMessage]], orders: Mapping[Key, Row], durable: str
) -> dict[Key, Accepted]:
    """Drops the messages in a wrong currency. An order whose own messages turn out to be the wrong ones starts anew
    from those that were dead-lettered before."""
    await db.keep(
        tx.connection,
        [
            db.Kept(one.key, one.fact.id, one.rank, one.currency, one.fact.type, kept(one.fact))
            for own in by_order.values()
            for one in own
            if one.currency is not None
        ],
    )
    contested = sorted(
        key
        for key, own in by_order.items()
        if len(({one.currency for one in own} | {orders[key]["currency"]}) - {None}) > 1
    )
    rivals = await db.of_orders(tx.connection, contested)
    found = {}
    for key, own in by_order.items():
        accepted = Accepted(dict(orders[key]), own)
        if key in rivals:
            accepted = await _judge(tx, accepted, rivals[key], durable)
        found[key] = _with_lowest_rank(accepted)
    return found


async def _judge(tx: Tx, came: Accepted, stored: Sequence[db.Kept], durable: str) -> Accepted:
    order = came.order
    stated = [Stated(one.fact_id, one.rank, one.currency) for one in stored]
    currency = currency_of(stated, order["currency"], order["currency_rank"])
    messages = list(came.messages)
    if order["currency"] not in (None, currency):
        known = {one.fact.id for one in messages}
        messages += [
            reread(one.key[0], one.fact_id, one.type, one.payload) for one in stored if one.fact_id not in known
        ]
        order = {**order, **NOTHING_YET}
        right = [one.fact.id for one in messages if one.currency == currency]
        await dead_letters.close(tx.connection, order["corp_id"], durable, right, "RESOLVED")
    for one in sorted(messages, key=lambda one: one.rank):
        if one.currency not in (None, currency):
            await dead_letters.add(
                tx.connection,
                durable,
                one.fact.subject,
                one.fact.headers,
                one.fact.payload,
                reason="ORDER_CURRENCY_CHANGED",
                detail=f"order {one.key[2]} is in {currency}, the message in {one.currency}",
            )
    return Accepted(order, [one for one in messages if one.currency in (None, currency)])


def _with_lowest_rank(accepted: Accepted) -> Accepted:
    """With the lowest rank that states the order's currency; without, when a release before stated it."""
    order = accepted.order
    ranks = [one.rank for one in accepted.messages if one.currency is not None]
    if not ranks or (order["currency"] is not None and order["currency_rank"] is None):
        return accepted
    return Accepted({**order, "currency_rank": min([*ranks, order["currency_rank"] or ranks[0]])}, accepted.messages)
