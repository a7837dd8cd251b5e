"""Mall messages become orders: forward-only facets, refunds as a set, both whatever order they come in."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chassis import dead_letters, scheduled
from chassis.facts import Received
from chassis.outbox import Tx
from chassis.pool import Row
from commerce.app.buyers import KIND as BUYER_QUERY
from commerce.db import attribution
from commerce.db import orders as db
from commerce.domain.orders import EXCESS, Facet, Refund, fold, settle_refunds


@dataclass(frozen=True, slots=True)
class Buyer:
    """The buyer as the mall names them."""

    kind: str
    id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Line:
    line_id: str
    product_id: str
    title: str
    quantity: int
    paid_fen: int


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """One message about one order."""

    key: db.Key
    facets: tuple[Facet, ...] = ()
    buyer: Buyer | None = None
    lines: tuple[Line, ...] = ()
    refund: Refund | None = None
    fact: Received | None = None


async def take(tx: Tx, messages: Sequence[OrderMessage], durable: str, query_delay: timedelta) -> None:
    """Applies the messages and asks for attribution of every order they touch."""
    by_order: dict[db.Key, list[OrderMessage]] = defaultdict(list)
    for message in messages:
        by_order[message.key].append(message)
    locked = await db.lock(tx.connection, sorted(by_order))

    updated: dict[db.Key, Row] = {}
    for key, own in by_order.items():
        changes = fold(dict(locked[key]), (facet for message in own for facet in message.facets))
        if changes:
            updated[key] = {**locked[key], **changes}
    if updated:
        await db.update(tx.connection, updated)
    # The lines are the newest detail's, whole.
    newest = {
        m.key: m
        for m in messages
        for facet in m.facets
        if facet.name == "detail" and m.key in updated and facet.rank == updated[m.key]["detail_rank"]
    }
    await db.replace_lines(
        tx.connection,
        [key for key in newest if locked[key]["detail_rank"] is not None],
        [
            (*key, line.line_id, line.product_id, line.title, line.quantity, line.paid_fen)
            for key, m in newest.items()
            for line in m.lines
        ],
    )
    await _take_refunds(tx, messages, {key: updated.get(key, locked[key]) for key in by_order}, durable)
    await _ask_who_buys(tx, messages, query_delay)
    buyers = {key: row["buyer_id"] for key, row in {**locked, **updated}.items() if row["buyer_id"]}
    await attribution.mark_orders(tx.connection, buyers)


async def _take_refunds(tx: Tx, messages: Iterable[OrderMessage], orders: Mapping[db.Key, Row], durable: str) -> None:
    await db.add_refunds(
        tx.connection,
        [
            (
                *m.key[:2],
                m.refund.refund_id,
                m.key[2],
                m.refund.amount_fen,
                m.refund.at,
                m.fact.id,
                m.fact.subject,
                json.dumps(dict(m.fact.headers)),
                m.fact.payload,
            )
            for m in messages
            if m.refund is not None and m.fact is not None
        ],
    )
    by_order: dict[db.Key, list[Row]] = defaultdict(list)
    for row in await db.refunds_of(tx.connection, sorted(orders)):
        by_order[row["corp_id"], row["mall_id"], row["order_id"]].append(row)
    changed = []
    just_came = {m.fact.id for m in messages if m.refund is not None and m.fact is not None}
    for key, rows in by_order.items():
        statuses = settle_refunds(
            orders[key]["paid_fen"], [Refund(r["refund_id"], r["amount_fen"], r["at"]) for r in rows]
        )
        for row in rows:
            status = statuses[row["refund_id"]]
            if status != row["status"]:
                changed.append((*key[:2], row["refund_id"], status))
            if status == EXCESS and (row["status"] != EXCESS or row["fact_id"] in just_came):
                await dead_letters.add(
                    tx.connection,
                    durable,
                    row["subject"],
                    json.loads(row["headers"]),
                    row["payload"],
                    reason="REFUND_ABOVE_PAYMENT",
                    detail=f"refund {row['refund_id']} of {row['amount_fen']} fen is more than is left of the payment",
                )
    if changed:
        await db.set_refund_status(tx.connection, changed)


async def _ask_who_buys(tx: Tx, messages: Iterable[OrderMessage], delay: timedelta) -> None:
    """Buyers nobody has identified yet are looked up at the mall, a little later."""
    unknown = await db.add_buyers(
        tx.connection,
        [(m.key[0], m.buyer.id, m.key[1], m.buyer.kind, m.buyer.sealed) for m in messages if m.buyer is not None],
    )
    when = datetime.now(UTC) + delay
    await scheduled.schedule_again(
        tx.connection,
        BUYER_QUERY,
        [scheduled.Job(row["corp_id"], row["buyer_id"], when) for row in unknown],
    )
