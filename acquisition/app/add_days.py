"""Keeps the adds by day as the touches say (chassis.kernel.day_rollup)."""

from __future__ import annotations

from collections.abc import Sequence

from acquisition.db.add_days import ADD_DAYS, places
from chassis.kernel.corps import Corps
from chassis.kernel.day_rollup import day_of
from chassis.outbox import Tx
from chassis.pool import Row


class AddDays:
    def __init__(self, corps: Corps) -> None:
        self._corps = corps

    async def count(self, tx: Tx, marks: Sequence[Row]) -> None:
        """Fits a work queue."""
        keys = [
            (corp_id, day_of(self._corps, corp_id, added_at), channel_id, userid)
            for corp_id, added_at, channel_id, userid in await places(tx.connection, marks)
        ]
        await ADD_DAYS.count(tx.connection, (key for key in keys if key[1] is not None), self._corps)
