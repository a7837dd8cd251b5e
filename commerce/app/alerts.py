"""What the employee of an order is told at once: that it was paid, and that something of it was given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bihuan.common.v1.money_pb2 import Money
from bihuan.staff.v1.facts_pb2 import Importance, NextStep, StaffAlerted

from chassis.kernel.alerts import alert_id, publish_alert
from chassis.outbox import Tx
from chassis.pool import Row
from commerce.db import alerts as db
from commerce.db import refunds
from commerce.db.orders import Key

# The kinds of causes, as they are part of the alerts' ids: they never change. 0.1.0 has the first one, too.
PAID = "ALERT_KIND_ORDER_PAID"
REFUNDED = "order_refunded"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, and the parts that its id is made of."""

    cause: tuple[str, ...]
    said: StaffAlerted


async def tell(tx: Tx, attributed: Sequence[Row], orders: Mapping[Key, Row]) -> None:
    """Once for each cause and employee, whatever else of the order changes later."""
    earned = {
        (row["corp_id"], row["mall_id"], row["order_id"]): row for row in attributed if row["paid"] and row["userid"]
    }
    if not earned:
        return
    alerts = [_paid(row, orders[key]) for key, row in earned.items()]
    given_back = sorted(key for key, row in earned.items() if row["refunded_fen"])
    if given_back:
        for refund in await refunds.to_tell(tx.connection, given_back):
            key = refund["corp_id"], refund["mall_id"], refund["order_id"]
            alerts.append(_refunded(earned[key], refund, orders[key]["currency"]))
    former = await db.former_userids(tx.connection, [(one.said.corp_id, one.said.userid) for one in alerts])
    by_id = {(one.said.corp_id, one.said.alert_id): one for one in alerts}
    news = await db.raise_once(
        tx.connection,
        {
            (corp_id, identity): [
                alert_id(corp_id, *one.cause, userid=userid) for userid in former.get((corp_id, one.said.userid), ())
            ]
            for (corp_id, identity), one in by_id.items()
        },
    )
    for alert in sorted(news):
        publish_alert(tx, by_id[alert].said)


def _paid(row: Row, order: Row) -> Alert:
    said = StaffAlerted(
        cause=f"order_paid/{row['mall_id']}/{row['order_id']}",
        importance=Importance.IMPORTANCE_NORMAL,
        next_step=NextStep.NEXT_STEP_THANK,
        at=order["paid_at"],
        arrived_at=order["paid_arrived_at"],
        order_paid=StaffAlerted.OrderPaid(
            mall_id=row["mall_id"],
            order_id=row["order_id"],
            paid=Money(amount=order["paid_fen"], currency=order["currency"]),
        ),
    )
    return _addressed(said, row, PAID)


def _refunded(row: Row, refund: Row, currency: str) -> Alert:
    said = StaffAlerted(
        cause=f"order_refunded/{row['mall_id']}/{row['order_id']}/{refund['refund_id']}",
        importance=Importance.IMPORTANCE_HIGH,
        next_step=NextStep.NEXT_STEP_ASK_WHY,
        at=refund["at"],
        arrived_at=refund["arrived_at"],
        order_refunded=StaffAlerted.OrderRefunded(
            mall_id=row["mall_id"],
            order_id=row["order_id"],
            refund_id=refund["refund_id"],
            refunded=Money(amount=refund["amount_fen"], currency=currency),
        ),
    )
    return _addressed(said, row, refund["refund_id"], REFUNDED)


def _addressed(said: StaffAlerted, row: Row, *what: str) -> Alert:
    """To the employee of the attribution, under an id made of the order and of what happened to it."""
    cause = (row["mall_id"], row["order_id"], *what)
    said.alert_id = alert_id(row["corp_id"], *cause, userid=row["userid"])
    said.corp_id, said.userid, said.contact_id = row["corp_id"], row["userid"], row["contact_id"]
    return Alert(cause, said)
