"""A contact way is found again by its state, among those that were deleted meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from nats.js import JetStreamContext

from acquisition.adapters.wecom import READ_AT_ONCE, WeComContactWays
from chassis.kernel.corps import App, Corp, Corps
from chassis.sealing import Sealer
from chassis.wecom.client import WeComs
from tests.conftest import CORP, free_port

PAGE = 4


class ContactWays:
    """Contact way n has state n; the odd ones are gone when they are read."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.open, self.most_open = 0, 0

    async def token(self, request: web.Request) -> web.Response:
        return web.json_response({"errcode": 0, "access_token": "t", "expires_in": 7200})

    async def list(self, request: web.Request) -> web.Response:
        first = int((await request.json())["cursor"] or 0)
        page = [{"config_id": f"c{n}"} for n in range(first, min(first + PAGE, self._count))]
        more: dict[str, Any] = {"next_cursor": str(first + PAGE)} if first + PAGE < self._count else {}
        return web.json_response({"errcode": 0, "contact_way": page, **more})

    async def read(self, request: web.Request) -> web.Response:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        number = int((await request.json())["config_id"].removeprefix("c"))
        self.open -= 1
        if number % 2:
            return web.json_response({"errcode": 41044, "errmsg": "invalid config_id"})
        way = {"config_id": f"c{number}", "state": f"s{number}", "qr_code": f"q{number}"}
        return web.json_response({"errcode": 0, "contact_way": way})


async def test_the_made_one_is_found_and_deleted_ones_are_passed_over(
    jetstream: JetStreamContext, sealer: Sealer
) -> None:
    wecom, app, port = ContactWays(11), web.Application(), free_port()
    app.router.add_get("/cgi-bin/gettoken", wecom.token)
    app.router.add_post("/cgi-bin/externalcontact/list_contact_way", wecom.list)
    app.router.add_post("/cgi-bin/externalcontact/get_contact_way", wecom.read)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    main = App(agent_id=1, secret=f"ways-{port}", callback_token="t", callback_aes_key="A" * 43)
    corp = Corp(corp_id=CORP, name="x", api_base=f"http://127.0.0.1:{port}", oauth_base="x", app=(main,))
    wecoms = WeComs(jetstream, sealer, Corps((corp,)))
    ways = WeComContactWays(wecoms)
    try:
        found = await ways.find(CORP, "s8", datetime(2026, 1, 1, tzinfo=UTC))
        assert found is not None
        assert (found.config_id, found.qr_code) == ("c8", "q8")
        assert await ways.find(CORP, "s9", datetime(2026, 1, 1, tzinfo=UTC)) is None
        assert wecom.most_open <= READ_AT_ONCE
    finally:
        await wecoms.close()
        await runner.cleanup()
