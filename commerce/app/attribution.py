"""Attribution: computed anew for whoever was marked, stated when it changed, the employee told once.

Marks are written in the transaction that changes an order, a relation, a touch or a person, and taken in a later one,
which locks the orders before it reads: of two changes that could not see each other, the later mark sees both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from bihuan.commerce.v1.facts_pb2 import OrderAttributed
from bihuan.common.v1.money_pb2 import Money
from bihuan.staff.v1.facts_pb2 import AlertKind, StaffAlertRaised

from chassis.kernel.alerts import alert_id
from chassis.kernel.corps import Corps
from chassis.kernel.staff_subject import staff_suffix
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.pool import Row, is_transient
from commerce.db import attribution as db
from commerce.db.orders import Key

MARKS = 1000
# For a corp that left the corps file while its facts were on their way.
DEFAULT_DAYS = 90


class Attribution:
    def __init__(self, outbox: Outbox, corps: Corps) -> None:
        self._outbox = outbox
        self._days = defaultdict(lambda: DEFAULT_DAYS, {corp.corp_id: corp.attribution_days for corp in corps})
        self._limit = MARKS

    async def work(self) -> int:
        """Takes marks and attributes; returns how many marks were taken, 0 when no more wait.

        A mark that cannot be worked on is found by taking fewer and fewer, and set aside: the others go on.
        """
        try:
            taken = await self._pass()
        except Exception as error:
            if is_transient(error):
                raise
            if self._limit == 1:
                log.exception("attribution_impossible")
                async with self._outbox.transaction() as tx:
                    return (await db.take_marks(tx.connection, 1)).count
            self._limit = max(1, self._limit // 8)
            return 1
        drained = taken < self._limit
        self._limit = min(MARKS, self._limit * 2)
        return 0 if drained else taken

    async def _pass(self) -> int:
        async with self._outbox.transaction() as tx:
            marks = await db.take_marks(tx.connection, self._limit)
            if marks.count:
                orders = await db.lock_orders_of(tx.connection, marks)
                if orders:
                    await self._attribute(tx, orders)
        return marks.count

    async def _attribute(self, tx: Tx, orders: Mapping[Key, Row]) -> None:
        changed = await db.attribute(tx.connection, list(orders), self._days)
        alerts: dict[tuple[str, str], StaffAlertRaised] = {}
        for row in changed:
            order = orders[row["corp_id"], row["mall_id"], row["order_id"]]
            tx.publish(_attributed(row, order), corp_id=row["corp_id"])
            if row["paid"] and row["userid"]:
                alert = _paid_alert(row, order)
                alerts[row["corp_id"], alert.alert_id] = alert
        for key in sorted(await db.raise_once(tx.connection, alerts)):
            alert = alerts[key]
            tx.publish(alert, corp_id=alert.corp_id, subject_suffix=staff_suffix(alert.corp_id, alert.userid))


def _attributed(row: Row, order: Row) -> OrderAttributed:
    currency = order["currency"]
    return OrderAttributed(
        corp_id=row["corp_id"],
        mall_id=row["mall_id"],
        order_id=row["order_id"],
        version=row["version"],
        buyer_id=order["buyer_id"],
        userid=row["userid"] or "",
        channel_id=row["channel_id"] or "",
        paid=Money(amount=row["paid_fen"], currency=currency) if row["paid"] else None,
        refunded=Money(amount=row["refunded_fen"], currency=currency),
        ordered_at=order["created_at"],
    )


def _paid_alert(row: Row, order: Row) -> StaffAlertRaised:
    kind = AlertKind.ALERT_KIND_ORDER_PAID
    return StaffAlertRaised(
        alert_id=alert_id(row["corp_id"], row["mall_id"], row["order_id"], AlertKind.Name(kind), userid=row["userid"]),
        corp_id=row["corp_id"],
        userid=row["userid"],
        kind=kind,
        contact_id=row["contact_id"],
        mall_id=row["mall_id"],
        order_id=row["order_id"],
        amount=Money(amount=order["paid_fen"], currency=order["currency"]),
        at=order["paid_at"],
        arrived_at=order["paid_arrived_at"],
    )
