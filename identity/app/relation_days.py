"""Keeps relations by day as the follow events say (chassis.kernel.day_rollup)."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.corps import Corps
from chassis.kernel.day_rollup import day_of
from chassis.outbox import Tx
from chassis.pool import Row
from identity.db.relation_days import RELATION_DAYS, places


class RelationDays:
    def __init__(self, corps: Corps) -> None:
        self._corps = corps

    async def count(self, tx: Tx, marks: Sequence[Row]) -> None:
        """Fits a work queue."""
        keys = [
            (corp_id, day_of(self._corps, corp_id, at), userid)
            for corp_id, at, userid in await places(tx.connection, marks)
        ]
        await RELATION_DAYS.count(tx.connection, (key for key in keys if key[1] is not None), self._corps)
