"""Sign-in by WeCom, as a browser goes it: our door, WeCom's page, our door again. Identity answers for every code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application
from bihuan.identity.v1 import staff_service_pb2 as pb
from bihuan.identity.v1 import staff_service_pb2_grpc as grpc_pb

from chassis.kernel.corps import App, Corp, Corps
from gateway import auth
from gateway.request_log import one_line_per_request
from gateway.settings import Settings
from tests.conftest import CORP


class Identity(grpc_pb.AccessServiceServicer):
    async def SignIn(self, request: pb.SignInRequest, context: object) -> pb.SignInResponse:
        return pb.SignInResponse(userid=f"{request.corp_id}/{request.code}")


@dataclass
class Door:
    server: TestServer

    def browser(self) -> TestClient[Any, Any]:
        return TestClient(self.server, cookie_jar=CookieJar(unsafe=True))


@pytest.fixture(name="door")
async def make_door() -> AsyncIterator[Door]:
    identity = grpc.aio.server()
    grpc_pb.add_AccessServiceServicer_to_server(Identity(), identity)
    port = identity.add_insecure_port("127.0.0.1:0")
    await identity.start()
    app = App(agent_id=7, secret="s", callback_token="t", callback_aes_key="A" * 43)
    corp = Corp(corp_id=CORP, name="x", api_base="http://x", oauth_base="http://wecom", app=(app,))
    keys = ("nats_url", "data_keys", "index_key", "corps_file", "acquisition_address", "engagement_address")
    settings = Settings(
        **dict.fromkeys((*keys, "commerce_address", "identity_address"), "x"),  # type: ignore[arg-type]
        service_key="x" * 16,
        session_key="x" * 32,
    )
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        site = Application(middlewares=[one_line_per_request])
        auth.add_routes(site, auth.Doorkeeper(settings, Corps((corp,)), channel))
        async with TestServer(site) as server:
            yield Door(server)
    await identity.stop(None)


async def begin(browser: TestClient[Any, Any], next_path: str = "/api/docs") -> str:
    """The state that WeCom is sent."""
    answer = await browser.get("/auth/login", params={"next": next_path}, allow_redirects=False)
    assert answer.status == 302, await answer.text()
    (state,) = parse_qs(urlsplit(answer.headers["Location"].partition("#")[0]).query)["state"]
    return state


async def finish(browser: TestClient[Any, Any], state: str) -> tuple[int, str]:
    """Status, and where it leads or why it was refused."""
    answer = await browser.get("/auth/callback", params={"state": state, "code": "c"}, allow_redirects=False)
    if answer.status == 302:
        assert "bihuan_session" in answer.cookies
        return 302, answer.headers["Location"]
    return answer.status, (await answer.json(content_type=None))["reason"]


async def test_the_state_is_what_wecom_takes(door: Door) -> None:
    async with door.browser() as browser:
        states = [await begin(browser, "/console/?x=" + "y" * n) for n in (0, 400)]
        for state in states:
            assert state.isascii()
            assert state.isalnum()
            assert 16 <= len(state) <= 128
        assert states[0] != states[1]


async def test_several_tabs_sign_in_at_once_and_each_state_once(door: Door) -> None:
    async with door.browser() as browser:
        states = [await begin(browser, f"/tab/{n}") for n in range(3)]
        for n in (2, 0, 1):
            assert await finish(browser, states[n]) == (302, f"/tab/{n}")
        assert await finish(browser, states[0]) == (403, "SIGN_IN_FOREIGN"), "it is over"


async def test_sign_ins_that_nobody_finishes_do_not_pile_up(door: Door) -> None:
    async with door.browser() as browser:
        for n in range(20):
            state = await begin(browser, f"/tab/{n}")
        cookies = [cookie.key for cookie in browser.session.cookie_jar if cookie.key.startswith("bihuan_sign_in")]
        assert len(cookies) <= auth.SIGN_INS_AT_ONCE
        assert await finish(browser, state) == (302, "/tab/19")


@asynccontextmanager
async def two_browsers(door: Door) -> AsyncIterator[tuple[TestClient[Any, Any], TestClient[Any, Any]]]:
    async with door.browser() as one, door.browser() as other:
        yield one, other


async def test_the_state_of_another_browser_is_refused(door: Door) -> None:
    async with two_browsers(door) as (attacker, victim):
        state = await begin(attacker)
        assert await finish(victim, state) == (403, "SIGN_IN_FOREIGN")
        own = await begin(victim)
        alike = own[: auth.STATE_HEAD] + state[auth.STATE_HEAD :]
        for wrong in (state, alike, "", own + "0", own[:-1], "é" * 40, "a;b=c", "x" * 5000):
            assert await finish(victim, wrong) == (403, "SIGN_IN_FOREIGN")
        assert await finish(victim, own) == (302, "/api/docs"), "the victim's own sign-in is untouched"


async def test_a_cookie_that_is_not_ours_is_refused(door: Door) -> None:
    async with door.browser() as browser:
        state = await begin(browser)
        browser.session.cookie_jar.update_cookies({"bihuan_sign_in_" + state[: auth.STATE_HEAD]: "e30.e30.x"})
        browser.session.cookie_jar.clear(lambda morsel: morsel["path"] == "/auth")
        assert (await finish(browser, state))[0] == 401


@pytest.mark.parametrize("next_path", ["//evil", "https://evil", "/\\evil", "/a\nb", "/" + "x" * 600])
async def test_a_sign_in_leads_to_our_own_pages_only(door: Door, next_path: str) -> None:
    async with door.browser() as browser:
        answer = await browser.get("/auth/login", params={"next": next_path}, allow_redirects=False)
        assert answer.status == 400
        assert (await answer.json(content_type=None))["field"] == "next"


INSIDE_WECOM = "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36 wxwork/4.1.30 MicroMessenger/7.0.1"


async def test_a_browser_outside_wecom_goes_to_its_web_login(door: Door) -> None:
    async with door.browser() as browser:
        for agent, path in (("Mozilla/5.0", "/wwlogin/sso/login"), (INSIDE_WECOM, "/connect/oauth2/authorize")):
            answer = await browser.get("/auth/login", headers={"User-Agent": agent}, allow_redirects=False)
            where = urlsplit(answer.headers["Location"].partition("#")[0])
            asked = {name: values[0] for name, values in parse_qs(where.query).items()}
            assert (where.netloc, where.path) == ("wecom", path)
            assert (asked["appid"], asked["agentid"]) == (CORP, "7")
            assert asked.get("login_type", "CorpApp") == "CorpApp"
            assert urlsplit(asked["redirect_uri"]).path == "/auth/callback"


async def test_a_person_whose_sign_in_is_refused_reads_why_on_our_page(door: Door) -> None:
    async with door.browser() as browser:
        answer = await browser.get(
            "/auth/callback", params={"state": "x" * 48}, headers={"Accept": "text/html,*/*"}, allow_redirects=False
        )
        assert answer.headers["Location"] == "/console/sign-in?refused=SIGN_IN_FOREIGN"


async def test_the_corps_to_choose_from_are_told(door: Door) -> None:
    async with door.browser() as browser:
        answer = await browser.get("/auth/corps")
        assert await answer.json() == {"corps": [{"corpId": CORP, "name": "x", "timezone": "Asia/Shanghai"}]}
