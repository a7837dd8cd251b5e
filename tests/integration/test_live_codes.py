"""A live code's contact way is made once, however slow WeCom is and however often its workers are cut off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from nats.js import JetStreamContext

from acquisition.adapters.wecom import WeComContactWays
from acquisition.app.live_codes import KIND, LiveCodes
from acquisition.db.channels import ensure_default
from chassis import scheduled
from chassis.effects import EffectWorker, OneByOne
from chassis.kernel.corps import App, Corp, Corps
from chassis.sealing import Sealer
from chassis.wecom.client import WeComs
from tests.conftest import CORP, Room, free_port
from tests.waiting import until

Rooms = Callable[..., Any]
OTHERS = 12


class SlowWeCom:
    """Contact ways of others, each read slowly, and ours. `cut_off`: so many creations are done, their answers lost."""

    def __init__(self) -> None:
        self.ways: dict[str, dict[str, Any]] = {f"other{n}": {"state": f"state{n}"} for n in range(OTHERS)}
        self.reads = 0
        self.cut_off = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read() or b"{}")
        match request.match_info["api"].rpartition("/")[2]:
            case "gettoken":
                return web.json_response({"errcode": 0, "access_token": "t", "expires_in": 7200})
            case "list_contact_way":
                return web.json_response({"errcode": 0, "contact_way": [{"config_id": one} for one in self.ways]})
            case "get_contact_way":
                self.reads += 1
                await asyncio.sleep(0.2)
                config_id = body["config_id"]
                if config_id == "other0":  # deleted since it was listed
                    return web.json_response({"errcode": 41044, "errmsg": "invalid config_id"})
                return web.json_response(
                    {"errcode": 0, "contact_way": {"config_id": config_id, **self.ways[config_id]}}
                )
            case "add_contact_way":
                config_id = f"ours{len(self.ways)}"
                self.ways[config_id] = {"state": body["state"], "qr_code": "https://qr.example.com"}
                if self.cut_off:
                    self.cut_off -= 1
                    assert request.transport is not None
                    request.transport.abort()
                return web.json_response({"errcode": 0, "config_id": config_id, "qr_code": "https://qr.example.com"})
        raise web.HTTPNotFound

    @property
    def ours(self) -> list[str]:
        return [config_id for config_id in self.ways if config_id.startswith("ours")]


@asynccontextmanager
async def serving(wecom: SlowWeCom) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/cgi-bin/{api:.+}", wecom.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def corps_at(address: str) -> Corps:
    app = App(agent_id=1, secret="s", callback_token="t", callback_aes_key="k" * 43)
    return Corps((Corp(corp_id=CORP, name="n", api_base=address, oauth_base="http://x", app=(app,)),))


async def is_active(room: Room) -> bool:
    return bool(await room.rows("select 1 from live_codes where status = 'ACTIVE'"))


@pytest.mark.parametrize("cut_off", [0, 1])
async def test_three_slow_workers_make_one_contact_way(
    rooms: Rooms, jetstream: JetStreamContext, sealer: Sealer, monkeypatch: pytest.MonkeyPatch, cut_off: int
) -> None:
    """To find whether it was made takes longer than a lease lasts."""
    monkeypatch.setattr(scheduled, "LEASE_SECONDS", 0.9)
    monkeypatch.setattr(scheduled, "CALL_SECONDS", 0.5)
    wecom = SlowWeCom()
    wecom.cut_off = cut_off
    async with rooms("acquisition") as room, serving(wecom) as address:
        wecoms = WeComs(jetstream, sealer, corps_at(address))
        codes = LiveCodes(room.outbox, WeComContactWays(wecoms))
        channel_id = (await ensure_default(room.pool, [CORP]))[CORP]
        async with room.outbox.transaction() as tx:
            await codes.create(tx, CORP, channel_id, "码", ["anna"])
        # Its first worker dies at once.
        assert len(await scheduled.claim(room.pool, KIND, 1)) == 1
        workers = [EffectWorker(room.pool, KIND, OneByOne(codes.perform), at_once=4) for _ in range(3)]

        async def works(worker: EffectWorker) -> None:
            while True:
                await worker.work()
                await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(works(worker)) for worker in workers]
        await until(lambda: is_active(room), seconds=30)
        for worker, task in zip(workers, tasks, strict=True):
            task.cancel()
            await worker.drain()
        await wecoms.close()
        assert len(wecom.ours) == 1
        assert await room.rows("select config_id from live_codes") == [{"config_id": wecom.ours[0]}]


async def test_contact_ways_that_we_know_are_not_read_again(
    rooms: Rooms, jetstream: JetStreamContext, sealer: Sealer
) -> None:
    wecom = SlowWeCom()
    wecom.ways.clear()
    async with rooms("acquisition") as room, serving(wecom) as address:
        wecoms = WeComs(jetstream, sealer, corps_at(address))
        codes = LiveCodes(room.outbox, WeComContactWays(wecoms))
        channel_id = (await ensure_default(room.pool, [CORP]))[CORP]
        worker = EffectWorker(room.pool, KIND, OneByOne(codes.perform), at_once=4)
        for name in ("一", "二", "三"):
            async with room.outbox.transaction() as tx:
                await codes.create(tx, CORP, channel_id, name, ["anna"])
            wecom.cut_off = 1 if name == "三" else 0
            while not await room.rows("select 1 from live_codes where name = $1 and status = 'ACTIVE'", name):
                await room.pool.execute("update due_rows set due_at = now() where status = 'due'")
                await worker.work()
                await worker.drain()
        await wecoms.close()
        assert len(wecom.ours) == 3
        assert wecom.reads == 1
