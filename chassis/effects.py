"""Performs due rows of one kind: claimed many at a time, called several at once, their outcomes committed together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from chassis import scheduled
from chassis.logs import log
from chassis.pool import Pool, is_transient


class EffectHandler(Protocol):
    """What one kind of effect is. Items and outcomes are the handler's own; each names its claim."""

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> Sequence[Any]:
        """What to call for each claim, read in one go; claims that need no call are settled here and left out."""
        ...

    async def call(self, item: Any) -> Any:
        """Makes one call outside and returns its outcome; an error of the outside is an outcome, not an exception."""
        ...

    async def settle(self, outcomes: Sequence[Any]) -> None:
        """Commits the outcomes in one transaction."""
        ...


class EffectWorker:
    """`work` fits `chassis.loops.Loop`. What stays unsettled is claimed again when its lease has run out."""

    def __init__(self, pool: Pool, kind: str, handler: EffectHandler, *, at_once: int) -> None:
        self._pool = pool
        self._kind = kind
        self._handler = handler
        self._at_once = at_once
        self._calling: set[asyncio.Task[None]] = set()
        self._outcomes: list[Any] = []
        self._settling: asyncio.Task[None] | None = None

    async def work(self) -> int:
        """Returns how many rows were claimed; waits for free places, a quarter of all, when they are taken.

        To claim for each place that gets free would make two transactions of every effect just when there are many.
        """
        while len(self._calling) > self._at_once * 3 // 4:
            await asyncio.wait(self._calling, return_when=asyncio.FIRST_COMPLETED)
        began = asyncio.get_running_loop().time()
        claims = await scheduled.claim(self._pool, self._kind, self._at_once - len(self._calling))
        if claims:
            for item in await self._handler.prepare(claims):
                self._track(self._call(item, began + scheduled.LEASE_SECONDS - scheduled.CALL_SECONDS))
        return len(claims)

    async def drain(self) -> None:
        if self._calling:
            await asyncio.wait(self._calling, timeout=scheduled.CALL_SECONDS + 1)
        if self._settling is not None:
            await asyncio.wait([self._settling], timeout=5)

    def _track(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)

    async def _call(self, item: Any, begin_before: float) -> None:
        if asyncio.get_running_loop().time() > begin_before:
            log.warning("effect_left_to_others", kind=self._kind)  # we were frozen: the lease may be somebody else's
            return
        try:
            outcome = await self._handler.call(item)
        except Exception:
            log.exception("effect_failed", kind=self._kind)
            return
        # Looked up after the wait: the list that was there before it may be in a transaction by now.
        self._outcomes.append(outcome)
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """One at a time: while a transaction runs, the outcomes of the next one gather."""
        while self._outcomes:
            batch, self._outcomes = tuple(self._outcomes), []
            await self._settle_batch(batch)

    async def _settle_batch(self, batch: Sequence[Any]) -> None:
        pause, give_up_at = 0.1, asyncio.get_running_loop().time() + scheduled.LEASE_SECONDS
        while True:
            try:
                await self._handler.settle(batch)
                return
            except Exception as error:
                if is_transient(error) and asyncio.get_running_loop().time() < give_up_at:
                    log.warning("effect_outage", kind=self._kind, outcomes=len(batch), error=repr(error))
                    await asyncio.sleep(pause * (1 + random.random()))
                    pause = min(pause * 2, 2.0)
                elif len(batch) > 1 and not is_transient(error):
                    for one in batch:
                        await self._settle_batch([one])
                    return
                else:
                    log.exception("effect_unsettled", kind=self._kind)
                    return


class OneByOne:
    """A handler for effects that are few: `perform` calls and commits by itself."""

    def __init__(self, perform: Callable[[scheduled.Claim], Awaitable[None]]) -> None:
        self._perform = perform

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> Sequence[scheduled.Claim]:
        return claims

    async def call(self, item: scheduled.Claim) -> None:
        await self._perform(item)

    async def settle(self, outcomes: Sequence[None]) -> None:
        return None
