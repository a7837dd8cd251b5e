"""Keeps welcomes and alerts by day as their rows say (chassis.kernel.day_rollup)."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.corps import Corps
from chassis.kernel.day_rollup import day_of
from chassis.outbox import Tx
from chassis.pool import Row
from engagement.db.touch_days import ALERT_DAYS, WELCOME_DAYS


class TouchDays:
    """Each method fits a work queue."""

    def __init__(self, corps: Corps) -> None:
        self._corps = corps

    async def count_welcomes(self, tx: Tx, marks: Sequence[Row]) -> None:
        keys = [
            (mark["corp_id"], day, mark["channel_id"], mark["userid"])
            for mark in marks
            if (day := day_of(self._corps, mark["corp_id"], mark["at"])) is not None
        ]
        await WELCOME_DAYS.count(tx.connection, keys, self._corps)

    async def count_alerts(self, tx: Tx, marks: Sequence[Row]) -> None:
        keys = [
            (mark["corp_id"], day, mark["userid"])
            for mark in marks
            if (day := day_of(self._corps, mark["corp_id"], mark["at"])) is not None
        ]
        await ALERT_DAYS.count(tx.connection, keys, self._corps)
