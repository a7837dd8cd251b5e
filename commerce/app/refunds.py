"""Refunds count as far as the payment covers them; the others are dead letters for as long as that is so."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chassis import dead_letters
from chassis.errors import Conflict
from chassis.logs import log
from chassis.outbox import Tx
from chassis.pool import Row
from commerce.app.order_messages import Key, OrderMessage, kept
from commerce.db import refunds as db
from commerce.domain.refunds import EXCESS, Refund, settle_refunds

Statuses = dict[tuple[str, str, str], str]  # corp, mall, refund


async def orders_at_stake(tx: Tx, messages: Sequence[OrderMessage]) -> set[Key]:
    """The orders of which the refunds are by now that these messages speak of; not always the messages' own."""
    keys = [(*one.key[:2], one.refund.refund_id) for one in messages if one.refund is not None]
    return {_order_of(row) for row in (await db.by_id(tx.connection, keys)).values()}


async def record(
    tx: Tx, messages: Sequence[OrderMessage], orders: Mapping[Key, Mapping[str, Any]], durable: str
) -> None:
    """Keeps what the messages say of refunds, and settles all refunds of the orders."""
    before = await db.of_orders(tx.connection, sorted(orders))
    came = [message for message in messages if message.refund is not None]
    after, told = before, [_told(message) for message in came]
    if told:
        known = await db.by_id(tx.connection, [one.key for one in told])
        if not {_order_of(row) for row in known.values()} <= orders.keys():
            raise Conflict("REFUND_MOVED", "a refund went to an order that is not locked")
        await db.save(tx.connection, told, known)
        after = await db.of_orders(tx.connection, sorted(orders))
        await _warn_of_unknown_lines(tx, came)
    statuses = _settled(after, orders)
    await db.set_statuses(
        tx.connection, {key: status for key, status in statuses.items() if status != after[key]["status"]}
    )
    await _keep_letters(tx, orders, before, after, statuses, {message.fact.id for message in came}, durable)
    if told:
        await _keep_letters_of_rivals(tx, before, told, durable)


def _told(message: OrderMessage) -> db.Told:
    assert message.refund is not None, "asked for messages about refunds only"
    return db.Told(
        order=message.key,
        refund=message.refund,
        fact_id=message.fact.id,
        subject=message.fact.subject,
        headers=json.dumps(dict(message.fact.headers)),
        payload=kept(message.fact),
    )


def _settled(refunds: db.Refunds, orders: Mapping[Key, Mapping[str, Any]]) -> Statuses:
    by_order: dict[Key, list[Row]] = defaultdict(list)
    for row in refunds.values():
        by_order[row["corp_id"], row["mall_id"], row["order_id"]].append(row)
    statuses: Statuses = {}
    for key, rows in by_order.items():
        settled = settle_refunds(
            orders[key]["paid_fen"],
            orders[key]["currency"],
            [Refund(row["refund_id"], row["amount_fen"], row["at"], row["currency"]) for row in rows],
        )
        statuses |= {(key[0], key[1], refund_id): status for refund_id, status in settled.items()}
    return statuses


async def _keep_letters(
    tx: Tx,
    orders: Mapping[Key, Mapping[str, Any]],
    before: db.Refunds,
    after: db.Refunds,
    statuses: Statuses,
    came: set[str],
    durable: str,
) -> None:
    """A letter is open for exactly those facts that speak for a refund which does not count."""
    had = {row["fact_id"]: row for row in before.values() if row["status"] == EXCESS}
    wanted = {after[key]["fact_id"]: after[key] for key, status in statuses.items() if status == EXCESS}
    closed: dict[str, list[str]] = defaultdict(list)
    for fact_id in had.keys() - wanted.keys():
        closed[had[fact_id]["corp_id"]].append(fact_id)
    for corp_id, fact_ids in sorted(closed.items()):
        await dead_letters.close(tx.connection, corp_id, durable, fact_ids, "RESOLVED")
    for fact_id in sorted(wanted.keys() - (had.keys() - came)):
        row = wanted[fact_id]
        order = orders[row["corp_id"], row["mall_id"], row["order_id"]]
        foreign = order["currency"] is not None and row["currency"] not in (None, order["currency"])
        await dead_letters.add(
            tx.connection,
            durable,
            row["subject"],
            json.loads(row["headers"]),
            row["payload"],
            reason="REFUND_CURRENCY_WRONG" if foreign else "REFUND_ABOVE_PAYMENT",
            detail=f"refund {row['refund_id']} of {row['amount_fen']} fen is more than is left",
        )


async def _keep_letters_of_rivals(tx: Tx, before: db.Refunds, told: Sequence[db.Told], durable: str) -> None:
    """A refund belongs to the order under which its speaking message names it; those under another are wrong."""
    speaking = await db.by_id(tx.connection, [one.key for one in told])
    rivals = {
        one.fact_id: (one.key, one.order, one.subject, one.headers, one.payload)
        for one in told
        if one.order != _order_of(speaking[one.key])
    }
    for key, row in before.items():
        if key in speaking and _order_of(row) != _order_of(speaking[key]):
            rivals[row["fact_id"]] = key, _order_of(row), row["subject"], row["headers"], row["payload"]
    for _, (key, order, subject, headers, payload) in sorted(rivals.items()):
        await dead_letters.add(
            tx.connection,
            durable,
            subject,
            json.loads(headers),
            payload,
            reason="REFUND_OF_ANOTHER_ORDER",
            detail=f"refund {key[2]} is of order {speaking[key]['order_id']}, the message names {order[2]}",
        )


def _order_of(row: Row) -> Key:
    return row["corp_id"], row["mall_id"], row["order_id"]


async def _warn_of_unknown_lines(tx: Tx, came: Sequence[OrderMessage]) -> None:
    """They are kept like the others: the order's detail may be on its way."""
    refunds = {(*message.key[:2], message.refund.refund_id): message for message in came if message.refund}
    for row in await db.lines_of(tx.connection, sorted(refunds)):
        if not row["known"]:
            _, _, order_id = refunds[row["corp_id"], row["mall_id"], row["refund_id"]].key
            log.warning(
                "refund_line_unknown",
                corp_id=row["corp_id"],
                mall_id=row["mall_id"],
                order_id=order_id,
                refund_id=row["refund_id"],
                line_id=row["line_id"],
            )
