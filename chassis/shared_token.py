"""Access tokens of outside APIs: one refresh shared by all replicas through a KV bucket, a memory copy beside it.

A replica that finds no usable token creates a short-lived `refreshing` key; who loses that race waits for the winner.
With some platforms a new token ends the old one: two replicas that refreshed each for itself would cut each other off.

Nobody waits for NATS longer than `KV_SECONDS`: without it each replica goes on alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from chassis import bus
from chassis.errors import Invalid
from chassis.logs import log
from chassis.sealing import Sealer

KV_SECONDS = 0.3
# How long a refresh may take before another replica tries, and how long that one waits.
REFRESH_SECONDS = 10.0
PATIENCE_SECONDS = 3.0
# A token is left alone this long before it expires.
EARLY_SECONDS = 300.0

# Asks the platform: the token, and the seconds it lasts.
Fetch = Callable[[], Awaitable[tuple[str, float]]]
T = TypeVar("T")


class _Away(Exception):
    """NATS gave no answer in time."""


class SharedToken:
    """The access token that a corp gets for a secret. `bucket` holds it, sealed, for all replicas."""

    def __init__(
        self,
        js: JetStreamContext,
        sealer: Sealer,
        corp_id: str,
        secret: str,
        fetch: Fetch,
        *,
        bucket: str,
        replicas: int = 1,
    ) -> None:
        self._js = js
        self._sealer = sealer
        self._corp_id = corp_id
        self._key = hashlib.sha256(f"{corp_id}\x00{secret}".encode()).hexdigest()[:32]
        self._fetch = fetch
        self._name = bucket
        self._replicas = replicas
        self._memory: tuple[str, float] | None = None
        self._failed = ""
        self._bucket: KeyValue | None = None
        # A task of its own, so that a cancelled caller does not stop it halfway.
        self._refreshing: asyncio.Task[tuple[str, float]] | None = None
        self._telling: asyncio.Task[None] | None = None

    async def get(self) -> str:
        """Raises what `fetch` raises."""
        known = self._memory
        if known is None or known[1] <= time.time():
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.create_task(self._refresh())
                self._refreshing.add_done_callback(_seen)
            known = await asyncio.shield(self._refreshing)
        return known[0]

    def invalidate(self, failed: str) -> None:
        """The platform refused this token. One that somebody has put in its place meanwhile is kept."""
        self._failed = failed
        if self._memory is not None and self._memory[0] == failed:
            self._memory = None

    async def _refresh(self) -> tuple[str, float]:
        try:
            shared = await self._turn()
        except _Away as error:
            log.warning("token_alone", corp_id=self._corp_id, error=str(error))
            self._memory = await self._fresh()
            return self._memory
        if shared is None:
            fresh: tuple[str, float] | None = None
            try:
                fresh = await self._fresh()
            finally:
                self._telling = asyncio.create_task(self._tell(fresh))
            shared = fresh
        self._memory = shared
        return shared

    async def _turn(self) -> tuple[str, float] | None:
        """The token that another replica has fetched; None when it is our turn to fetch it. Raises _Away."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            stored, ours = await _in_time(self._look())
            if stored is not None or ours:
                return stored
            if time.monotonic() > give_up_at:
                raise _Away(f"another replica has not refreshed within {PATIENCE_SECONDS} s")
            await asyncio.sleep(0.05)

    async def _look(self) -> tuple[tuple[str, float] | None, bool]:
        """The usable stored token, if any; else whether it fell to us to refresh it."""
        if self._bucket is None:
            self._bucket = await bus.open_bucket(self._js, self._name, replicas=self._replicas)
        stored = await self._stored(self._bucket)
        if stored is not None:
            return stored, False
        try:
            await self._bucket.create(f"{self._key}.refreshing", b"1", msg_ttl=REFRESH_SECONDS)
        except KeyWrongLastSequenceError:
            return None, False
        # Another replica may have refreshed it since we looked.
        stored = await self._stored(self._bucket)
        if stored is not None:
            await self._bucket.delete(f"{self._key}.refreshing")
        return stored, stored is None

    async def _tell(self, fresh: tuple[str, float] | None) -> None:
        """What we fetched, or that we could not, for those who wait."""
        bucket = self._bucket
        if bucket is None:
            return
        try:
            if fresh is not None:
                await _in_time(bucket.put(self._key, self._sealer.seal(self._corp_id, json.dumps(fresh))))
            await _in_time(bucket.delete(f"{self._key}.refreshing"))
        except _Away as error:
            log.warning("token_untold", corp_id=self._corp_id, error=str(error))

    async def _fresh(self) -> tuple[str, float]:
        token, lasts = await self._fetch()
        return token, time.time() + max(lasts - EARLY_SECONDS, lasts / 2)

    async def _stored(self, bucket: KeyValue) -> tuple[str, float] | None:
        """The shared token, if there is one that still lasts and was not refused."""
        try:
            entry = await bucket.get(self._key)
            token, until = json.loads(self._sealer.open(self._corp_id, entry.value or b""))
        except (KeyNotFoundError, Invalid):  # Invalid: sealed with a key that is gone
            return None
        return (str(token), float(until)) if until > time.time() and token != self._failed else None


async def _in_time(operation: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(KV_SECONDS):
            return await operation
    except (NatsError, asyncio.TimeoutError, OSError) as error:
        raise _Away(repr(error)) from error


def _seen(task: asyncio.Task[tuple[str, float]]) -> None:
    """Whoever still waits is told of the failure; nobody may be left to."""
    if not task.cancelled():
        task.exception()
