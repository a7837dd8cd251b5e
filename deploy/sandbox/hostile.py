"""What may happen to any call: slow, refused before anything ran, or answered into a broken connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from deploy.sandbox.faults import Faults


async def answer(
    faults: Faults, request: web.Request, run: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Runs the function and answers, unless a fault strikes before it (no effect) or after it (effect, no answer)."""
    if faults.happens(faults.slow):
        await asyncio.sleep(faults.slow_seconds)
    if faults.happens(faults.http_5xx):
        return web.Response(status=502)
    response = await run()
    if faults.happens(faults.answer_lost):
        if request.transport is None or faults.random.random() < 0.5:
            return web.Response(status=502)
        request.transport.close()
    return response
