"""When something last came from a source outside: kept for all to read, at most every few seconds by each process.

A source is a word and an id: `callback.1000002`, `mall.shop1`. It costs its sender nothing: without NATS nothing is
noted, and nobody waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, KeyNotFoundError
from nats.js.kv import KeyValue

from chassis import bus
from chassis.errors import Unavailable

BUCKET = "last-seen"
EVERY_SECONDS = 5.0


class LastSeen:
    def __init__(self, js: JetStreamContext, replicas: int = 1) -> None:
        self._js, self._replicas = js, replicas
        self._bucket: KeyValue | None = None
        self._noted: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, corp_id: str, source: str) -> None:
        """`corp_id` and `source` are of the configuration: there are only so many."""
        key, now = f"{corp_id}.{source}", time.monotonic()
        if now < self._noted.get(key, -EVERY_SECONDS) + EVERY_SECONDS:
            return
        self._noted[key] = now
        task = asyncio.create_task(self._put(key, datetime.now(UTC).isoformat().encode()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def of(self, corp_id: str, sources: Iterable[str]) -> dict[str, datetime | None]:
        """Source → when it was last seen; None for never. Raises Unavailable while NATS is away."""
        try:
            bucket = await self._open()
            return {source: await self._read(bucket, f"{corp_id}.{source}") for source in sources}
        except (NatsError, APIError, asyncio.TimeoutError) as error:
            raise Unavailable("BUS_AWAY", "what was last seen cannot be read now, try again") from error

    async def _read(self, bucket: KeyValue, key: str) -> datetime | None:
        try:
            entry = await bucket.get(key)
        except KeyNotFoundError:
            return None
        return datetime.fromisoformat((entry.value or b"").decode())

    async def _put(self, key: str, value: bytes) -> None:
        try:
            await (await self._open()).put(key, value)
        except (NatsError, APIError, asyncio.TimeoutError):
            self._noted.pop(key, None)

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            self._bucket = await bus.open_bucket(self._js, BUCKET, replicas=self._replicas)
        return self._bucket
