"""Loops beside the consumers: they run when woken, and at an interval in case nobody woke them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from chassis.logs import log
from chassis.pool import is_transient


class Loop:
    """Repeats `work` until it reports nothing done, then waits for `wake` or `interval` seconds.

    An outage backs off and repeats; any other error is logged with its trace and repeated after a pause, since a
    timed loop has no one to hand a poison to.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[int]], *, interval: float) -> None:
        self.name = name
        self._work = work
        self._interval = interval
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        pause = 0.1
        while not self._stopping:
            self._wake.clear()
            try:
                done = await self._work()
                pause = 0.1
            except Exception as error:
                if is_transient(error):
                    log.warning("loop_outage", loop=self.name, error=repr(error))
                else:
                    log.exception("loop_failed", loop=self.name)
                done = 0
                await asyncio.sleep(pause * (1 + random.random()))
                pause = min(pause * 2, 5.0)
            if done == 0 and not self._stopping:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._interval * (0.9 + 0.2 * random.random()))

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
