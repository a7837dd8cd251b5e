"""Performs due rows of one kind: claimed many at a time, called several at once, their outcomes committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from chassis import metrics, scheduled, scheduled_letters
from chassis.batches import Batches
from chassis.dead_letters import detail_of, reason_of
from chassis.logs import log
from chassis.pool import Pool, is_timeout, is_transient
from chassis.scheduled import Claim
from chassis.store_probe import StoreProbe

# Failures in a row; with the pauses between them some quarter of an hour.
MOST_ATTEMPTS = 10
OUTAGE_PAUSE = timedelta(seconds=5)


class EffectHandler(Protocol):
    """What one kind of effect is. An item is a claim, or has one as `claim`; outcomes are the handler's own.

    What raises is tried again later, and is a dead letter after too many attempts in a row; an outage does not count.
    """

    async def prepare(self, claims: Sequence[Claim]) -> Sequence[Any]:
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

    def __init__(
        self,
        pool: Pool,
        kind: str,
        handler: EffectHandler,
        *,
        at_once: int,
        attempts: int | None = MOST_ATTEMPTS,
        store: StoreProbe | None = None,
    ) -> None:
        self._pool = pool
        self._store = store or StoreProbe(pool)
        self._kind = kind
        self._handler = handler
        self._at_once = at_once
        self._attempts = attempts
        self._calling: set[asyncio.Task[None]] = set()
        self._outcomes: list[tuple[Claim, Any]] = []
        self._settling: asyncio.Task[None] | None = None

    async def work(self) -> int:
        """Returns how many rows were claimed.

        Refills when a quarter of the places are free; claiming one at a time costs two transactions per effect.
        """
        while len(self._calling) > self._at_once * 3 // 4:
            await asyncio.wait(self._calling, return_when=asyncio.FIRST_COMPLETED)
        began = asyncio.get_running_loop().time()
        claims = await scheduled.claim(self._pool, self._kind, self._at_once - len(self._calling))
        living = []
        for claim in claims:
            if self._attempts is not None and claim.failures >= self._attempts:
                await self._fail(claim, "WORKER_LOST", "each worker ended before the effect did")
            else:
                living.append(claim)
        if living:
            for item in await self._prepare(living):
                self._track(self._call(item, began + scheduled.LEASE_SECONDS - scheduled.CALL_SECONDS))
        return len(claims)

    async def drain(self) -> None:
        if self._calling:
            await asyncio.wait(self._calling, timeout=scheduled.CALL_SECONDS + 1)
        if self._settling is not None:
            await asyncio.wait([self._settling], timeout=5)

    async def _prepare(self, claims: Sequence[Claim]) -> Sequence[Any]:
        """Without those that cannot be prepared, found by halving."""
        try:
            return await self._handler.prepare(claims)
        except Exception as error:
            if _is_outage(error):
                with suppress(Exception):  # their leases run out
                    await self._postpone(claims, OUTAGE_PAUSE, counted=False)
                raise
            if len(claims) == 1:
                await self._failed(claims[0], error, called=False)
                return ()
        middle = len(claims) // 2
        return [*await self._prepare(claims[:middle]), *await self._prepare(claims[middle:])]

    def _track(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)

    async def _call(self, item: Any, begin_before: float) -> None:
        claim: Claim = item if isinstance(item, Claim) else item.claim
        if asyncio.get_running_loop().time() > begin_before:
            log.warning("effect_left_to_others", kind=self._kind)  # we were frozen: the lease may be somebody else's
            with suppress(Exception):  # then it runs out
                await self._postpone([claim], timedelta(), counted=False)
            return
        try:
            outcome = await self._handler.call(item)
        except Exception as error:
            await self._failed(claim, error)
            return
        # Looked up after the wait: the list that was there before it may be in a transaction by now.
        self._outcomes.append((claim, outcome))
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """One at a time: while a transaction runs, the outcomes of the next one gather."""
        while self._outcomes:
            batch, self._outcomes = tuple(self._outcomes), []
            give_up_at = asyncio.get_running_loop().time() + scheduled.LEASE_SECONDS
            await self._settle_until(batch, give_up_at)

    async def _settle_until(self, batch: Sequence[tuple[Claim, Any]], give_up_at: float) -> None:
        clock = asyncio.get_running_loop().time

        async def failed(one: tuple[Claim, Any], error: Exception) -> None:
            await self._failed(one[0], error)

        batches = Batches(
            self._kind,
            self._commit,
            failed,
            corp_of=lambda one: one[0].corp_id,
            store=self._store,
            stopping=lambda: clock() > give_up_at,
        )
        try:
            await batches.settle(batch)
        except asyncio.CancelledError:
            if clock() < give_up_at:
                raise
            log.warning("effect_unsettled", kind=self._kind, outcomes=len(batch))  # their leases run out

    async def _commit(self, batch: Sequence[tuple[Claim, Any]]) -> int:
        await self._handler.settle([outcome for _, outcome in batch])
        return len(batch)

    async def _failed(self, claim: Claim, error: Exception, *, called: bool = True) -> None:
        """`called` False: nothing was called outside yet."""
        try:
            if _is_outage(error):
                log.warning("effect_outage", kind=self._kind, corp_id=claim.corp_id, error=repr(error))
                await self._postpone([claim], OUTAGE_PAUSE, counted=called)
            else:
                log.warning("effect_failed", kind=self._kind, corp_id=claim.corp_id, exc_info=error)
                await self._fail(claim, reason_of(error), detail_of(error), counted=called)
        except Exception as outage:  # its lease runs out
            log.warning("effect_outage", kind=self._kind, corp_id=claim.corp_id, error=repr(outage))

    async def _postpone(self, claims: Sequence[Claim], pause: timedelta, *, counted: bool) -> None:
        due_at = datetime.now(UTC) + pause
        async with self._pool.acquire() as connection:
            await scheduled.postpone(connection, self._kind, [(claim, due_at) for claim in claims], counted=counted)

    async def _fail(self, claim: Claim, reason: str, detail: str, *, counted: bool = True) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            dead = await scheduled_letters.fail(
                connection,
                self._kind,
                claim,
                reason=reason,
                detail=detail,
                attempts=self._attempts,
                counted=counted,
            )
        if dead:
            metrics.DEAD_LETTERS.labels(self._kind, reason).inc()
            log.error("dead_letter", durable=self._kind, corp_id=claim.corp_id, reason=reason, detail=detail)


def _is_outage(error: Exception) -> bool:
    return is_transient(error) and not is_timeout(error)


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
