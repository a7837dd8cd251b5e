"""What becomes of a batch: committed whole, halved when it holds a poison or is too big, kept through an outage.

outage   (lost connection, deadlock, lock time-out)    the same batch again, for ever
time-out (statement or transaction)                    the same batch again; the second time it is halved
any other error                                        halved until the culprit stands alone
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from chassis.logs import log
from chassis.pool import is_timeout, is_transient

# Of the same batch, before it is halved.
MOST_TIMEOUTS = 2
# Of one item that stands alone, before it counts as a poison.
MOST_TIMEOUTS_ALONE = 3
LONGEST_PAUSE_SECONDS = 5.0

Item = TypeVar("Item")


class Batches(Generic[Item]):
    """Settles batches of one durable or queue, named `name` in the log.

    `commit` handles a part in one transaction and returns how many items were new. `dead_letter` keeps one item that
    can never be handled. Both are repeated through outages while `stopping` says no; with `outlasts` False an outage
    is raised to the caller instead.
    """

    def __init__(
        self,
        name: str,
        commit: Callable[[Sequence[Item]], Awaitable[int]],
        dead_letter: Callable[[Item, Exception], Awaitable[None]],
        *,
        stopping: Callable[[], bool] = lambda: False,
        outlasts: bool = True,
    ) -> None:
        self._name = name
        self._commit = commit
        self._dead_letter = dead_letter
        self._stopping = stopping
        self._outlasts = outlasts

    async def settle(self, items: Sequence[Item]) -> int:
        """Returns how many were new. Raises CancelledError when asked to stop during an outage."""
        timeouts, pause = 0, 0.1
        while True:
            try:
                return await self._commit(items)
            except Exception as error:
                if self._stopping():
                    raise asyncio.CancelledError from error
                if is_transient(error) and not is_timeout(error) and not self._outlasts:
                    raise
                timeouts += is_timeout(error)
                most = MOST_TIMEOUTS if len(items) > 1 else MOST_TIMEOUTS_ALONE
                if is_transient(error) and timeouts < most:
                    log.warning("batch_outage", name=self._name, items=len(items), error=repr(error))
                    pause = await rest(pause)
                    continue
                culprit = error
            if len(items) == 1:
                await self.give_up(items[0], culprit)
                return 0
            middle = len(items) // 2
            return await self.settle(items[:middle]) + await self.settle(items[middle:])

    async def give_up(self, item: Item, error: Exception) -> None:
        """Dead-letters one item, however long an outage takes."""
        pause = 0.1
        while True:
            try:
                return await self._dead_letter(item, error)
            except Exception as outage:
                if self._stopping() or not self._outlasts or not is_transient(outage):
                    raise
                pause = await rest(pause)


async def rest(pause: float) -> float:
    """Waits about `pause` seconds and returns how long to wait the next time."""
    await asyncio.sleep(pause * (1 + random.random()))
    return min(pause * 2, LONGEST_PAUSE_SECONDS)
