"""NATS is away: calls to WeCom go on, a closed window stays closed, and what was leased alone is told afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from nats.js import JetStreamContext

from chassis import bus
from chassis.errors import NotFound
from chassis.kernel.corps import App, Corp, Corps
from chassis.sealing import Sealer
from chassis.shared_token import SharedToken
from chassis.wecom import budget
from chassis.wecom.budget import Budget
from chassis.wecom.client import CALLS_AT_ONCE, WeComAway, WeComError, WeComs
from chassis.wecom.tickets import Tickets
from deploy.local import nats as local_nats
from engagement.adapters.wecom import WeComVoice
from identity.app.pages import PageSigning
from tests.conftest import CORP, free_port
from tests.waiting import until

# Far more than a call takes alone, far less than a welcome's 20 s or NATS's absence here.
SOON = 4.0


class Broker:
    """A NATS server of the test's own that can be frozen: connected, and silent."""

    def __init__(self, js: JetStreamContext, pid: int) -> None:
        self.js, self._pid = js, pid

    @contextmanager
    def frozen(self) -> Iterator[None]:
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[Broker]:
    port = free_port()
    server = local_nats.start(folder / "nats", port, free_port(), "secret", folder / "nats.log")
    connected = await bus.connect(f"nats://bihuan:secret@127.0.0.1:{port}", "tests")
    try:
        yield Broker(connected.jetstream(), server.pid)
    finally:
        await connected.close()
        server.terminate()
        await asyncio.to_thread(server.wait, 10)


class WeComServer:
    """Two apps' WeCom: tokens by secret, welcomes by the app whose code it is; 45009 once it is told to."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.full = False
        self.slow_seconds = 0.0

    async def get_token(self, request: web.Request) -> web.Response:
        self.calls["gettoken"] += 1
        token = "token-of-" + request.query["corpsecret"]
        return web.json_response({"errcode": 0, "access_token": token, "expires_in": 7200})

    async def ticket(self, request: web.Request) -> web.Response:
        self.calls["ticket"] += 1
        return web.json_response({"errcode": 0, "ticket": request.path, "expires_in": 7200})

    async def welcome(self, request: web.Request) -> web.Response:
        code = (await request.json())["welcome_code"]
        self.calls[code] += 1
        await asyncio.sleep(self.slow_seconds)
        if self.full:
            return web.json_response({"errcode": 45009, "errmsg": "api freq out of limit"})
        right = request.query["access_token"] == "token-of-" + code.partition("-")[0]
        return web.json_response({"errcode": 0 if right else 41050, "errmsg": ""})


@asynccontextmanager
async def outside(js: JetStreamContext, sealer: Sealer) -> AsyncIterator[tuple[WeComServer, WeComs]]:
    server = WeComServer()
    app = web.Application()
    app.router.add_get("/cgi-bin/gettoken", server.get_token)
    app.router.add_get("/cgi-bin/get_jsapi_ticket", server.ticket)
    app.router.add_get("/cgi-bin/ticket/get", server.ticket)
    app.router.add_post("/cgi-bin/externalcontact/send_welcome_msg", server.welcome)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    apps = tuple(App(agent_id=n, secret=f"app{n}", callback_token="t", callback_aes_key="A" * 43) for n in (1, 2))
    corp = Corp(corp_id=CORP, name="x", api_base=f"http://127.0.0.1:{port}", oauth_base="http://x", app=apps)
    wecoms = WeComs(js, sealer, Corps((corp,)))
    try:
        yield server, wecoms
    finally:
        await wecoms.close()
        await runner.cleanup()


async def test_welcomes_go_on_while_nats_elects_a_leader(tmp_path: Path, sealer: Sealer) -> None:
    """Each app's code with its own token; whether NATS falls silent before the first call or between two."""
    async with broker(tmp_path) as nats, outside(nats.js, sealer) as (wecom, wecoms):
        voice = WeComVoice(wecoms)
        for round_, silent in enumerate((True, False, True)):
            codes = [(f"app{n}-{round_}-{i}", n) for n in (1, 2) for i in range(20)]
            async with asyncio.timeout(SOON):
                if silent:
                    with nats.frozen():
                        await asyncio.gather(*(voice.send(CORP, code, "hi", (), SOON, app) for code, app in codes))
                else:
                    await asyncio.gather(*(voice.send(CORP, code, "hi", (), SOON, app) for code, app in codes))
            assert [wecom.calls[code] for code, _ in codes] == [1] * len(codes)
        assert wecom.calls["gettoken"] <= 4, "one an app, and once more when it is shared again"


async def test_who_gets_no_answer_knows_whether_the_call_went_out(tmp_path: Path, sealer: Sealer) -> None:
    """Ten at once go out; the eleventh waits for its turn, and the twelfth finds nobody there."""
    async with broker(tmp_path) as nats:
        async with outside(nats.js, sealer) as (wecom, wecoms):
            voice = WeComVoice(wecoms)
            await voice.send(CORP, "app1-first", "hi", (), SOON)
            wecom.slow_seconds = 3.0
            patience = [2.0] * CALLS_AT_ONCE + [0.5]
            sending = [voice.send(CORP, f"app1-{n}", "hi", (), seconds) for n, seconds in enumerate(patience)]
            away = await asyncio.gather(*sending, return_exceptions=True)
            assert all(isinstance(one, WeComAway) for one in away)
            sent = {f"app1-{n}" for n, one in enumerate(away) if isinstance(one, WeComAway) and one.sent}
            assert sent == {code for code in wecom.calls if code not in ("gettoken", "app1-first")}
            assert len(sent) == CALLS_AT_ONCE
        async with outside(nats.js, sealer) as (_, wecoms):
            voice = WeComVoice(wecoms)
            await voice.send(CORP, "app1-first", "hi", (), SOON)
            wecoms.of(CORP).corp = wecoms.of(CORP).corp.model_copy(update={"api_base": "http://127.0.0.1:9"})
            with pytest.raises(WeComAway) as refused:
                await voice.send(CORP, "app1-12", "hi", (), SOON)
            assert not refused.value.sent


async def test_a_window_that_closes_while_nats_is_away_is_closed_for_all_when_it_is_back(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LOOK_SECONDS", 0.1)
    async with broker(tmp_path) as nats, outside(nats.js, sealer) as (wecom, wecoms):
        voice, other = WeComVoice(wecoms), Budget(nats.js, CORP)
        api = "externalcontact/send_welcome_msg"
        assert await other.take(api)
        with nats.frozen():
            wecom.full = True
            async with asyncio.timeout(SOON):
                for n in range(3):
                    with pytest.raises(WeComError) as told:
                        await voice.send(CORP, f"app1-{n}", "hi", (), SOON)
                    assert told.value.errcode == 45009
                with pytest.raises(WeComError):
                    await voice.send(CORP, "app2-9", "hi", (), SOON, 2)
            assert wecom.calls["app2-9"] == 0, "WeCom counts the corp's apps together"
            assert wecom.calls["app1-0"] == 1
            assert wecom.calls["app1-1"] == wecom.calls["app1-2"] == 0, "we were told to stop"

        async def closed() -> bool:
            return not await other.take(api)

        await until(closed)


async def test_a_cut_off_caller_costs_the_others_nothing(tmp_path: Path) -> None:
    async with broker(tmp_path) as nats:
        one = Budget(nats.js, CORP)
        with nats.frozen():
            for _ in range(3):
                cut = asyncio.create_task(one.take("user/get"))
                await asyncio.sleep(0)
                cut.cancel()
            async with asyncio.timeout(SOON):
                assert all([await one.take("user/get") for _ in range(3 * budget.LEASE_CALLS)])


async def test_alone_a_replica_keeps_to_the_quota_and_tells_the_others_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "CALLS_PER_MINUTE", 25)
    monkeypatch.setattr(budget, "LEASE_CALLS", 10)
    monkeypatch.setattr(budget, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(budget.time, "time", lambda: 1_800_000_000.0)
    async with broker(tmp_path) as nats:
        one, other = Budget(nats.js, CORP), Budget(nats.js, CORP)
        with nats.frozen():
            async with asyncio.timeout(SOON):
                assert sum([await one.take("user/get") for _ in range(40)]) == 25

        async def told() -> bool:
            await one.take("user/get")
            return not one._alone

        await until(told)
        assert not await other.take("user/get"), "one has told what it took"


async def test_a_token_is_fetched_alone_and_its_failure_reaches_everybody_who_waits(
    tmp_path: Path, sealer: Sealer
) -> None:
    fetched: list[int] = []

    async def fetch() -> tuple[str, float]:
        fetched.append(1)
        await asyncio.sleep(0.05)
        if len(fetched) == 1:
            raise WeComError("gettoken", 40001, "wrong secret")
        return f"token{len(fetched)}", 7200.0

    async with broker(tmp_path) as nats:
        token = SharedToken(nats.js, sealer, CORP, "secret", fetch, bucket="tokens")
        with nats.frozen():
            async with asyncio.timeout(SOON):
                failed = await asyncio.gather(*(token.get() for _ in range(3)), return_exceptions=True)
                assert [type(one) for one in failed] == [WeComError] * 3
                assert len(fetched) == 1
                cut = asyncio.create_task(token.get())
                await asyncio.sleep(0)
                cut.cancel()
                assert await token.get() == "token2"
                token.invalidate("token2")
                assert await token.get() == "token3"
        other = SharedToken(nats.js, sealer, CORP, "secret", fetch, bucket="tokens")
        async with asyncio.timeout(30):
            assert await other.get() == "token4"
            token.invalidate("token3")
            assert await token.get() == "token4", "back together they share one again"


async def test_an_app_that_is_not_configured_is_refused(jetstream: JetStreamContext, sealer: Sealer) -> None:
    async with outside(jetstream, sealer) as (_, wecoms):
        assert wecoms.of(CORP) is wecoms.of(CORP, 1), "the main app"
        assert wecoms.of(CORP, 2) is not wecoms.of(CORP, 1)
        for corp_id, agent_id in ((CORP, 3), ("ww-unknown", 0)):
            with pytest.raises(NotFound):
                wecoms.of(corp_id, agent_id)


async def test_pages_are_signed_while_nats_is_silent(tmp_path: Path, sealer: Sealer) -> None:
    async with broker(tmp_path) as nats, outside(nats.js, sealer) as (wecom, wecoms):
        signing = PageSigning(Tickets(nats.js, sealer, wecoms), "https://our.example")
        with nats.frozen():
            async with asyncio.timeout(SOON):
                signed = [await signing.sign(CORP, "https://our.example/console/sidebar") for _ in range(3)]
        assert len({one.config.ticket_id for one in signed}) == 1
        assert wecom.calls["ticket"] == 2, "one of each kind, kept in this process"
