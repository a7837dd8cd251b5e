"""What becomes of a batch: committed whole, halved when it holds a poison or is too big, kept through an outage.

    outage   (lost connection, deadlock, lock time-out)    the same again, for ever
    time-out (statement or transaction)                    the same again; then its halves, behind the others
    any other error                                        halved until the culprit stands alone

One item that stands alone and runs out of time three times is a culprit too, unless the store is slow for everybody
(chassis.store_probe): that is an outage, and its time-outs do not count.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.logs import log
from chassis.pool import is_timeout, is_transient
from chassis.store_probe import StoreProbe

# How often a batch may run out of time before it is halved.
MOST_TIMEOUTS = 2
# How often one item alone may, before it is a poison.
MOST_TIMEOUTS_ALONE = 3
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

Item = TypeVar("Item")


@dataclass
class _Part(Generic[Item]):
    items: Sequence[Item]
    # It comes of a batch that was halved for running out of time: if it does too, it is halved at once.
    too_big: bool = False
    timeouts: int = 0
    pause: float = FIRST_PAUSE_SECONDS

    @property
    def most_timeouts(self) -> int:
        if len(self.items) == 1:
            return MOST_TIMEOUTS_ALONE
        return 1 if self.too_big else MOST_TIMEOUTS

    def halves(self, *, too_big: bool) -> tuple[_Part[Item], _Part[Item]]:
        middle = len(self.items) // 2
        return _Part(self.items[:middle], too_big), _Part(self.items[middle:], too_big)


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
        corp_of: Callable[[Item], str],
        store: StoreProbe,
        stopping: Callable[[], bool] = lambda: False,
        outlasts: bool = True,
    ) -> None:
        self._name = name
        self._commit = commit
        self._dead_letter = dead_letter
        self._corp_of = corp_of
        self._store = store
        self._stopping = stopping
        self._outlasts = outlasts

    async def settle(self, items: Sequence[Item]) -> int:
        """Returns how many were new. Raises CancelledError when asked to stop during an outage."""
        parts, done = deque([_Part(items)]), 0
        while parts:
            part = parts.popleft()
            try:
                done += await self._commit(part.items)
                self._store.succeeded()
                continue
            except Exception as error:
                if self._stopping():
                    raise asyncio.CancelledError from error
                culprit = error
            if is_timeout(culprit):
                log.warning("batch_timed_out", name=self._name, items=len(part.items), error=repr(culprit))
                self._store.timed_out(self._name, map(self._corp_of, part.items))
                part.timeouts += 1
                if part.timeouts < part.most_timeouts:
                    parts.appendleft(part)
                    part.pause = await rest(part.pause)
                    continue
                if await self._store_is_at_fault(part):
                    if not self._outlasts:
                        raise culprit
                    log.warning("batch_waits_for_slow_store", name=self._name, items=len(part.items))
                    part.timeouts = 0
                    parts.append(part)  # behind what may go well
                    part.pause = await rest(part.pause)
                    continue
            elif is_transient(culprit):
                if not self._outlasts:
                    raise culprit
                log.warning("batch_outage", name=self._name, items=len(part.items), error=repr(culprit))
                parts.appendleft(part)
                part.pause = await rest(part.pause)
                continue
            if len(part.items) == 1:
                await self.give_up(part.items[0], culprit)
            elif is_timeout(culprit):
                parts.extend(part.halves(too_big=True))  # behind what may go well
            else:
                parts.extendleft(reversed(part.halves(too_big=part.too_big)))
        return done

    async def _store_is_at_fault(self, part: _Part[Item]) -> bool:
        """Several corps that run out of time together may be no more than a batch too big, until one item is left."""
        return (len(part.items) == 1 and self._store.hits_several()) or await self._store.is_slow()

    async def give_up(self, item: Item, error: Exception) -> None:
        """Dead-letters one item, however long an outage takes."""
        pause = FIRST_PAUSE_SECONDS
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
