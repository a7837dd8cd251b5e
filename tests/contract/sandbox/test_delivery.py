"""How messages reach gateways of which one is down."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.sandbox.delivery import Courier, Delivery
from deploy.sandbox.faults import Faults
from tests.conftest import free_port


async def test_a_message_that_failed_at_one_gateway_goes_to_the_other() -> None:
    async def success(_: web.Request) -> web.Response:
        return web.Response(text="success")

    app = web.Application()
    app.router.add_post("/wecom", success)
    async with TestServer(app) as well:
        gateways = [f"http://127.0.0.1:{free_port()}", str(well.make_url("")).rstrip("/")]
        courier = Courier(gateways, Faults(attempts=2))
        sent = [Delivery("wecom", "an event", "/wecom", lambda attempt: ("", b"", {})) for _ in range(6)]
        assert all(await asyncio.gather(*(courier.send(one) for one in sent)))
        assert sorted(one.statuses for one in sent) == [[0, 200]] * 3 + [[200]] * 3
        await courier.close()
