"""Performs due rows of one kind, several at once, each with its own outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from chassis import due
from chassis.logs import log
from chassis.pool import Pool, is_outage


class Effects:
    """`perform` makes the call and commits the outcome; what it leaves uncommitted is claimed again after the lease.

    `work` fits `chassis.loops.Loop`: it claims as many rows as there are free places.
    """

    def __init__(self, pool: Pool, kind: str, perform: Callable[[due.Claim], Awaitable[None]], *, at_once: int) -> None:
        self._pool = pool
        self._kind = kind
        self._perform = perform
        self._at_once = at_once
        self._running: set[asyncio.Task[None]] = set()

    async def work(self) -> int:
        """Returns how many rows were claimed; waits for a free place when all are taken."""
        if len(self._running) >= self._at_once:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        claims = await due.claim(self._pool, self._kind, self._at_once - len(self._running))
        for claim in claims:
            task = asyncio.create_task(self._one(claim))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claims)

    async def drain(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=due.CALL_SECONDS + 1)

    async def _one(self, claim: due.Claim) -> None:
        try:
            await self._perform(claim)
        except Exception as error:
            if is_outage(error):
                log.warning("effect_outage", kind=self._kind, error=repr(error))
            else:
                log.exception("effect_failed", kind=self._kind)
