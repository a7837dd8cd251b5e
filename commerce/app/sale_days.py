"""Keeps the sales by day as orders, attributions and refunds say (chassis.kernel.day_rollup)."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.corps import Corps
from chassis.kernel.day_rollup import day_of
from chassis.outbox import Tx
from chassis.pool import Row
from commerce.db.sale_days import SALE_DAYS, places


class SaleDays:
    def __init__(self, corps: Corps) -> None:
        self._corps = corps

    async def count(self, tx: Tx, marks: Sequence[Row]) -> None:
        """Fits a work queue."""
        keys = [
            (corp_id, day_of(self._corps, corp_id, at), *rest)
            for corp_id, at, *rest in await places(tx.connection, marks)
        ]
        await SALE_DAYS.count(tx.connection, (key for key in keys if key[1] is not None), self._corps)
