"""WeCom's quota per corp and API, shared by all replicas: short leases of calls in a KV bucket.

A replica takes a few hundred calls of the minute at a time, so that counting costs one KV write per lease. When WeCom
answers 45009 the window is closed for everyone, not only for the replica that was told.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from chassis.logs import log

BUCKET = "wecom-budgets"
CALLS_PER_MINUTE = 10_000
LEASE_CALLS = 200
# How soon a replica learns that another one was told to stop.
LOOK_SECONDS = 2.0
# A minute's quota that is exceeded blocks the API for a minute.
CLOSED_SECONDS = 60.0
TRIES = 10


@dataclass
class _Window:
    minute: int = -1
    left: int = 0
    closed_until: float = 0.0
    look_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Budget:
    """Budgets of one corp's APIs in this process. Without NATS each replica goes on alone."""

    def __init__(self, js: JetStreamContext, corp_id: str) -> None:
        self._js = js
        self._corp_id = corp_id
        self._windows: dict[str, _Window] = defaultdict(_Window)
        self._bucket: KeyValue | None = None

    async def take(self, api: str) -> bool:
        """True when one call may be made now."""
        window = self._windows[api]
        async with window.lock:
            now = time.time()
            if now < window.closed_until:
                return False
            minute = int(now // 60)
            wants_lease = window.minute != minute or window.left <= 0
            if wants_lease or now >= window.look_at:
                await self._agree(api, window, minute, LEASE_CALLS if wants_lease else 0)
            if time.time() < window.closed_until or window.left <= 0:
                return False
            window.left -= 1
            return True

    async def close(self, api: str) -> None:
        """WeCom said that the quota is used up."""
        log.warning("wecom_window_closed", corp_id=self._corp_id, api=api)
        window = self._windows[api]
        async with window.lock:
            window.closed_until = time.time() + CLOSED_SECONDS
            await self._agree(api, window, int(time.time() // 60), 0)

    async def _agree(self, api: str, window: _Window, minute: int, calls: int) -> None:
        """Reads what the others know, adds what we know, and leases `calls`."""
        window.look_at = time.time() + LOOK_SECONDS
        try:
            bucket = await self._open()
            key = f"{self._corp_id}.{api.replace('/', '.')}"
            for _ in range(TRIES):
                try:
                    entry = await bucket.get(key)
                    known, revision = json.loads(entry.value or b"{}"), entry.revision
                except KeyNotFoundError:
                    known, revision = {}, 0
                used = known.get("used", 0) if known.get("minute") == minute else 0
                closed_until = max(window.closed_until, known.get("closed_until", 0.0))
                window.closed_until = closed_until
                leased = 0 if closed_until > time.time() else min(calls, CALLS_PER_MINUTE - used)
                agreed = {"minute": minute, "used": used + leased, "closed_until": closed_until}
                if agreed != known:
                    try:
                        await bucket.update(key, json.dumps(agreed).encode(), last=revision)
                    except KeyWrongLastSequenceError:
                        continue  # another replica was faster: look again
                if calls:
                    window.minute, window.left = minute, leased
                return
        except (NatsError, APIError, asyncio.TimeoutError, OSError) as error:
            log.warning("wecom_budget_alone", api=api, error=repr(error))
        if calls:
            window.minute, window.left = minute, calls

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            self._bucket = await self._js.create_key_value(KeyValueConfig(bucket=BUCKET, history=1))
        return self._bucket
