"""When this process stood still: who called it meanwhile ran into a time-out and called again, by nobody's mistake."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from aiohttp import web

BEAT_SECONDS = 0.2
STILL_SECONDS = 1.0


class Pulse:
    """Every time the loop could not run for a second, as (began, ended) in seconds since 1970."""

    def __init__(self) -> None:
        self.stalls: list[tuple[float, float]] = []

    def watch(self, app: web.Application) -> None:
        app.router.add_get("/sandbox/stalls", self.show)
        app.cleanup_ctx.append(self._watched)

    async def show(self, _: web.Request) -> web.Response:
        return web.json_response({"stalls": self.stalls})

    async def _watched(self, _: web.Application) -> AsyncIterator[None]:
        beating = asyncio.create_task(self._beat())
        yield
        beating.cancel()

    async def _beat(self) -> None:
        last = time.time()
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            now = time.time()
            if now - last > STILL_SECONDS:
                self.stalls.append((last, now))
            last = now
