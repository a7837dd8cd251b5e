"""WeCom's quota per corp and API, shared by all replicas: short leases of calls in a KV bucket.

A replica takes a few hundred calls of the minute at a time, so that counting costs one KV write per lease. When WeCom
answers 45009 the window is closed for everyone, not only for the replica that was told.

Nobody waits for NATS longer than `KV_SECONDS`: without it each replica goes on alone, and tells the others later.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from chassis import bus
from chassis.logs import log

BUCKET = "wecom-budgets"
CALLS_PER_MINUTE = 10_000
LEASE_CALLS = 200
KV_SECONDS = 0.3
# How soon a replica learns that another one was told to stop.
LOOK_SECONDS = 2.0
# A minute's quota that is exceeded blocks the API for a minute.
CLOSED_SECONDS = 60.0
TRIES = 10


@dataclass
class _Window:
    minute: int = -1
    left: int = 0
    # Calls leased this minute while NATS was away: not yet counted for the others.
    untold: int = 0
    closed_until: float = 0.0
    look_at: float = 0.0
    # A task of its own, so that a cancelled caller does not cost the others their lease.
    agreeing: asyncio.Task[None] | None = None


class Budget:
    """Budgets of one corp's APIs in this process."""

    def __init__(self, js: JetStreamContext, corp_id: str, replicas: int = 1) -> None:
        self._js = js
        self._corp_id = corp_id
        self._replicas = replicas
        self._windows: dict[str, _Window] = defaultdict(_Window)
        self._bucket: KeyValue | None = None
        self._alone = False

    async def take(self, api: str) -> bool:
        """True when one call may be made now."""
        window = self._windows[api]
        now = time.time()
        minute = int(now // 60)
        if now < window.closed_until:
            return False
        if window.minute != minute or window.left <= 0:
            await self._lease(api, window, minute)
        elif now >= window.look_at:
            self._agree(api, window, minute, 0)
        if time.time() < window.closed_until or window.left <= 0:
            return False
        window.left -= 1
        return True

    async def close(self, api: str) -> None:
        """WeCom said that the quota is used up. In force here at once, and for the others when they look."""
        log.warning("wecom_window_closed", corp_id=self._corp_id, api=api)
        window = self._windows[api]
        window.closed_until = time.time() + CLOSED_SECONDS
        if window.agreeing is not None:
            await asyncio.wait({window.agreeing})  # it may have read before we were told
        telling = self._agree(api, window, int(time.time() // 60), 0)
        if not self._alone:
            await asyncio.wait({telling})

    async def _lease(self, api: str, window: _Window, minute: int) -> None:
        """Waits for the agreement that is under way, or for one of its own; not at all while NATS is known away."""
        if window.agreeing is not None and not self._alone:
            await asyncio.wait({window.agreeing})
        if window.minute == minute and window.left > 0:
            return
        if not self._alone:
            await asyncio.wait({self._agree(api, window, minute, LEASE_CALLS)})
            return
        self._lease_alone(window, minute)
        if time.time() >= window.look_at:
            self._agree(api, window, minute, 0)

    def _lease_alone(self, window: _Window, minute: int) -> None:
        untold = window.untold if window.minute == minute else 0
        window.minute, window.left = minute, min(LEASE_CALLS, CALLS_PER_MINUTE - untold)
        window.untold = untold + window.left

    def _agree(self, api: str, window: _Window, minute: int, calls: int) -> asyncio.Task[None]:
        """Reads what the others know, adds what we know, and leases `calls`; the task ends within `KV_SECONDS`."""
        if window.agreeing is None:
            window.look_at = time.time() + LOOK_SECONDS
            window.agreeing = asyncio.create_task(self._agree_in_time(api, window, minute, calls))
        return window.agreeing

    async def _agree_in_time(self, api: str, window: _Window, minute: int, calls: int) -> None:
        agreed = False
        try:
            async with asyncio.timeout(KV_SECONDS):
                await self._agree_by_bucket(api, window, minute, calls)
            agreed = True
        except (NatsError, asyncio.TimeoutError, OSError) as error:
            log.warning("wecom_budget_alone", api=api, error=repr(error))
        finally:
            self._alone = not agreed
            if calls and not agreed:
                self._lease_alone(window, minute)
            window.agreeing = None

    async def _agree_by_bucket(self, api: str, window: _Window, minute: int, calls: int) -> None:
        if self._bucket is None:
            self._bucket = await bus.open_bucket(self._js, BUCKET, replicas=self._replicas)
        key = f"{self._corp_id}.{api.replace('/', '.')}"
        for _ in range(TRIES):
            try:
                entry = await self._bucket.get(key)
                known, revision = json.loads(entry.value or b"{}"), entry.revision
            except KeyNotFoundError:
                known, revision = {}, 0
            untold = window.untold if window.minute == minute else 0
            used = (known.get("used", 0) if known.get("minute") == minute else 0) + untold
            closed_until = max(window.closed_until, known.get("closed_until", 0.0))
            leased = 0 if closed_until > time.time() else max(0, min(calls, CALLS_PER_MINUTE - used))
            agreed = {"minute": minute, "used": used + leased, "closed_until": closed_until}
            if agreed != known:
                try:
                    await self._bucket.update(key, json.dumps(agreed).encode(), last=revision)
                except KeyWrongLastSequenceError:
                    continue  # another replica was faster: look again
            window.closed_until = max(window.closed_until, closed_until)
            window.untold = 0
            if calls:
                window.minute, window.left = minute, leased
            return
        raise NatsError(f"no agreement on {api} after {TRIES} tries")
