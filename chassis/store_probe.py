"""Work that ran out of time: is it the work, or is PostgreSQL slow for everybody?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from uuid_utils import uuid7

from chassis.pool import Pool, is_transient

# A row written and removed takes a millisecond; where it takes this long, nothing else can be expected to end in time.
SLOW_SECONDS = 1.0
# How long time-outs of several corps or handlers, without any success, pass for an outage when the probe is quick.
MOST_DOUBT_SECONDS = 120.0


class StoreProbe:
    """What all handlers of one process know of their store."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # Handler and corp of each time-out since the last success of any, and when the first of them was.
        self._timed_out: set[tuple[str, str]] = set()
        self._since = 0.0

    def succeeded(self) -> None:
        if self._timed_out:
            self._timed_out.clear()

    def timed_out(self, name: str, corp_ids: Iterable[str]) -> None:
        """Says that work of the handler `name` for these corps ran out of time."""
        if not self._timed_out:
            self._since = time.monotonic()
        self._timed_out.update((name, corp_id) for corp_id in corp_ids)

    def hits_several(self) -> bool:
        """Whether several corps or handlers run out of time and nothing ends. Not for ever: two corps may both be at
        fault, and others wait behind them."""
        return len(self._timed_out) > 1 and time.monotonic() < self._since + MOST_DOUBT_SECONDS

    async def is_slow(self) -> bool:
        """Writes and removes a row as every handler does."""
        try:
            await asyncio.wait_for(self._write(), SLOW_SECONDS)
        except Exception as error:
            if not is_transient(error):
                raise
            return True
        return False

    async def _write(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            row = "", "store-probe", str(uuid7())
            await connection.execute("insert into inbox (corp_id, durable, fact_id) values ($1, $2, $3)", *row)
            await connection.execute("delete from inbox where (corp_id, durable, fact_id) = ($1, $2, $3)", *row)
