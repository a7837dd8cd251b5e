"""Mall messages become orders: forward-only facets, refunds as a set, both whatever order they come in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from chassis.kernel.changes import publish_changed
from chassis.outbox import Tx
from chassis.pool import Row
from commerce.app import buyers, currencies, refunds
from commerce.app.currencies import Accepted
from commerce.app.order_messages import Key, OrderMessage
from commerce.db import lines, marks
from commerce.db import orders as db
from commerce.domain.orders import fold

NOUN = "orders"


async def record(tx: Tx, messages: Sequence[OrderMessage], durable: str, query_delay: timedelta) -> None:
    """Applies the messages and asks for attribution of every order they touch."""
    by_order: dict[Key, list[OrderMessage]] = defaultdict(list)
    for message in messages:
        by_order[message.key].append(message)

    for key in await refunds.orders_at_stake(tx, messages):
        by_order.setdefault(key, [])
    before = await db.lock(tx.connection, sorted(by_order))
    accepted = await currencies.sort_out(tx, by_order, before, durable)
    orders = {key: _folded(one) for key, one in accepted.items()}
    await db.update(tx.connection, {key: order for key, order in orders.items() if _differ(order, before[key])})
    await _save_lines(tx, accepted, before, orders)
    await refunds.record(tx, messages, orders, durable)
    await buyers.ask(tx, [one for own in accepted.values() for one in own.messages], query_delay)
    await marks.mark_orders(
        tx.connection, {key: order["buyer_id"] for key, order in orders.items() if order["buyer_id"]}
    )
    await marks.mark_orders_without_buyer(
        tx.connection, [key for key, order in orders.items() if not order["buyer_id"]]
    )
    for corp_id in sorted({key[0] for key in by_order}):
        publish_changed(tx, corp_id, NOUN, [f"{mall}/{order}" for corp, mall, order in by_order if corp == corp_id])


def _folded(accepted: Accepted) -> Mapping[str, Any]:
    facets = [facet for message in accepted.messages for facet in message.facets]
    return {**accepted.order, **fold(accepted.order, facets)}


def _differ(order: Mapping[str, Any], before: Row) -> bool:
    return any(order[name] != before[name] for name in db.COLUMNS)


async def _save_lines(
    tx: Tx, accepted: Mapping[Key, Accepted], before: Mapping[Key, Row], orders: Mapping[Key, Mapping[str, Any]]
) -> None:
    """The lines are the newest detail's, whole."""
    newest = {
        key: {line.line_id: line for line in message.lines}
        for key, one in accepted.items()
        if orders[key]["detail_rank"] != before[key]["detail_rank"]
        for message in one.messages
        if message.currency is not None and message.rank == orders[key]["detail_rank"]
    }
    await lines.replace(
        tx.connection,
        [key for key in newest if before[key]["detail_rank"] is not None],
        [lines.OrderLine(key, line) for key, own in newest.items() for line in own.values()],
    )
