"""Access tokens: one refresh shared by all replicas through a KV bucket, a memory copy when NATS is away.

A replica that finds no usable token creates a short-lived `refreshing` key; who loses that race waits for the winner.
A failed token is dropped only if the stored one is the failed one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from chassis.sealing import Sealer

BUCKET = "wecom-tokens"
REFRESH_SECONDS = 10.0
# A token is left alone this long before it expires.
EARLY_SECONDS = 300.0

Fetch = Callable[[], Awaitable[tuple[str, float]]]


class Token:
    """One app's access token. `fetch` asks WeCom and returns (token, seconds it lasts)."""

    def __init__(self, js: JetStreamContext, sealer: Sealer, corp_id: str, secret: str, fetch: Fetch) -> None:
        self._js = js
        self._sealer = sealer
        self._corp_id = corp_id
        self._key = hashlib.sha256(f"{corp_id}\x00{secret}".encode()).hexdigest()[:32]
        self._fetch = fetch
        self._memory: tuple[str, float] | None = None
        self._bucket: KeyValue | None = None
        self._one_at_a_time = asyncio.Lock()

    async def get(self) -> str:
        async with self._one_at_a_time:
            if self._memory is None or self._memory[1] <= time.time():
                try:
                    self._memory = await self._shared()
                except (NatsError, APIError, asyncio.TimeoutError, OSError):
                    self._memory = await self._fresh()
            return self._memory[0]

    async def invalidate(self, failed: str) -> None:
        """Forgets `failed`, here and for everyone, unless somebody has replaced it already."""
        async with self._one_at_a_time:
            if self._memory is not None and self._memory[0] == failed:
                self._memory = None
            try:
                bucket = await self._open()
                entry = await bucket.get(self._key)
                if entry.value and self._unpack(entry.value)[0] == failed:
                    await bucket.delete(self._key, last=entry.revision)
            except (KeyNotFoundError, KeyWrongLastSequenceError):
                pass
            except (NatsError, APIError, asyncio.TimeoutError, OSError):
                pass

    async def _fresh(self) -> tuple[str, float]:
        token, lasts = await self._fetch()
        return token, time.time() + max(lasts - EARLY_SECONDS, lasts / 2)

    async def _shared(self) -> tuple[str, float]:
        bucket = await self._open()
        give_up_at = time.monotonic() + REFRESH_SECONDS
        while True:
            stored = await self._stored(bucket)
            if stored is not None:
                return stored
            try:
                await bucket.create(f"{self._key}.refreshing", b"1", msg_ttl=REFRESH_SECONDS)
            except KeyWrongLastSequenceError:
                if time.monotonic() > give_up_at:
                    return await self._fresh()
                await asyncio.sleep(0.05)
                continue
            try:
                stored = await self._stored(bucket)
                if stored is not None:
                    return stored  # the one before us finished between our look and our turn
                fresh = await self._fresh()
                await bucket.put(self._key, self._sealer.seal(self._corp_id, json.dumps(fresh)))
                return fresh
            finally:
                await bucket.delete(f"{self._key}.refreshing")

    async def _stored(self, bucket: KeyValue) -> tuple[str, float] | None:
        """The shared token, if there is one that still lasts."""
        try:
            entry = await bucket.get(self._key)
        except KeyNotFoundError:
            return None
        stored = self._unpack(entry.value) if entry.value else ("", 0.0)
        return stored if stored[1] > time.time() else None

    def _unpack(self, value: bytes) -> tuple[str, float]:
        token, until = json.loads(self._sealer.open(self._corp_id, value))
        return str(token), float(until)

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            self._bucket = await self._js.create_key_value(KeyValueConfig(bucket=BUCKET, history=1))
        return self._bucket
