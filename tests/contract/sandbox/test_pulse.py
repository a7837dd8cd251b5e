"""The sandbox tells when it stood still."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.sandbox.pulse import STILL_SECONDS, Pulse
from tests.waiting import until


async def test_a_loop_that_could_not_run_is_told_of() -> None:
    app = web.Application()
    Pulse().watch(app)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        await asyncio.sleep(0)  # the first beat begins
        began = time.time()
        time.sleep(STILL_SECONDS + 0.5)  # noqa: ASYNC251  (this is what is watched)
        ended = time.time()

        async def told() -> bool:
            async with session.get(server.make_url("/sandbox/stalls")) as answer:
                stalls = (await answer.json())["stalls"]
            return any(stood <= began and ended <= ran for stood, ran in stalls)

        assert await until(told)
