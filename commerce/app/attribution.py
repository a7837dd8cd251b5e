"""Attribution: computed anew for whoever was marked, stated when it changed, the employee told once.

Marks are written in the transaction that changes an order, a relation, a touch or a person, and taken in a later one,
which locks the orders before it reads: of two changes that could not see each other, the later mark sees both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bihuan.commerce.v1.facts_pb2 import OrderAttributed
from bihuan.common.v1.money_pb2 import Money

from chassis.kernel.corps import Corps
from chassis.outbox import Tx
from chassis.pool import Pool, Row
from commerce.app import alerts
from commerce.db import attribution as db
from commerce.db import marks
from commerce.domain.attribution import Window

QUEUE, TABLE, KEY = "attribution", "attribution_marks", "mark_id"
# For a corp that left the corps file while its facts were on their way.
DEFAULT = Window(days=90, zone=ZoneInfo("Asia/Shanghai"))
CATCH_UP_AT_ONCE = 1000


class Attribution:
    def __init__(self, corps: Corps) -> None:
        self._windows: dict[str, Window] = defaultdict(lambda: DEFAULT)
        for corp in corps:
            self._windows[corp.corp_id] = Window(days=corp.attribution_days, zone=ZoneInfo(corp.timezone))

    async def attribute(self, tx: Tx, taken: Sequence[Row]) -> None:
        """Works off marks (chassis.work_queue.QueueHandler)."""
        wanted = marks.wanted(taken)
        orders = await db.lock_orders_of(tx.connection, wanted.people, wanted.orders)
        if not orders:
            return
        changed = await db.attribute(tx.connection, list(orders), self._windows)
        for row in changed:
            currency = orders[row["corp_id"], row["mall_id"], row["order_id"]]["currency"]
            tx.publish(attributed(row, currency), corp_id=row["corp_id"])
        await alerts.tell(tx, changed, orders)


async def catch_up(pool: Pool) -> int:
    """Marks orders that the release before attributed, by its own rule; returns how many."""
    async with pool.acquire() as connection:
        return await marks.mark_orders_of_release_before(connection, CATCH_UP_AT_ONCE, QUEUE)


def attributed(row: Row, currency: str) -> OrderAttributed:
    return OrderAttributed(
        corp_id=row["corp_id"],
        mall_id=row["mall_id"],
        order_id=row["order_id"],
        version=row["version"],
        buyer_id=row["buyer_id"],
        userid=row["userid"] or "",
        channel_id=row["channel_id"] or "",
        paid=Money(amount=row["paid_fen"], currency=currency) if row["paid"] else None,
        refunded=Money(amount=row["refunded_fen"], currency=currency),
        ordered_at=row["ordered_at"],
        paid_at=row["paid_at"],
    )
