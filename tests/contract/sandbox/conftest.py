"""A sandbox of its own process, and a door that it tells: decrypted by an SDK that is none of ours."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest_asyncio
import xmltodict
from aiohttp import web
from wechatpy.work import WeChatClient
from wechatpy.work.crypto import WeChatCrypto

from deploy.local.home import SECOND, Home, Ports
from tests.conftest import ROOT, free_port
from tests.waiting import until

SECOND_AGENT = 1000003


class Door:
    """Takes callbacks and mall messages and answers with `status`; what came lies in `told` and `pushed`."""

    def __init__(self, keys: dict[str, str]) -> None:
        self._keys = keys
        self.status = 200
        self.told: list[dict[str, str]] = []
        self.pushed: list[tuple[dict[str, str], bytes]] = []

    async def callback(self, request: web.Request) -> web.Response:
        prefix = SECOND if request.match_info["agent_id"] == str(SECOND_AGENT) else ""
        keys = self._keys
        crypto = WeChatCrypto(keys[prefix + "callback_token"], keys[prefix + "callback_aes_key"], keys["corp_id"])
        query = request.query
        plain = crypto.decrypt_message(
            (await request.read()).decode(), query["msg_signature"], query["timestamp"], query["nonce"]
        )
        self.told.append({**xmltodict.parse(plain)["xml"], "AgentID": request.match_info["agent_id"]})
        return web.Response(status=self.status)

    async def push(self, request: web.Request) -> web.Response:
        self.pushed.append((dict(request.headers), await request.read()))
        return web.json_response({"code": 0, "msg": "success"}, status=self.status)


class Platform:
    """`site`: the door's address; `chat`: WeCom's client."""

    def __init__(
        self, home: Home, url: str, session: aiohttp.ClientSession, door: Door, *, site: str, chat: str
    ) -> None:
        self.home, self.keys, self.url, self.session, self.door = home, home.keys, url, session, door
        self.site, self.chat = site, chat

    async def control(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.session.post(self.url + path, json=body) as answer:
            answer.raise_for_status()
            read: dict[str, Any] = await answer.json()
            return read

    async def ask(self, path: str, **query: str) -> dict[str, Any]:
        async with self.session.get(self.url + path, params=query) as answer:
            answer.raise_for_status()
            read: dict[str, Any] = await answer.json()
            return read

    async def faults(self, **values: float) -> None:
        await self.control("/sandbox/faults", values)

    async def told(self, change: str, external_userid: str = "", *, count: int) -> list[dict[str, str]]:
        """The events of this kind about this contact, once there are so many."""

        async def found() -> list[dict[str, str]]:
            mine = [
                one
                for one in self.door.told
                if one["ChangeType"] == change and external_userid in ("", one.get("ExternalUserID"))
            ]
            return mine if len(mine) >= count else []

        return await until(found)


@pytest_asyncio.fixture
async def platform(tmp_path_factory: Any) -> AsyncIterator[Platform]:
    door_port, port, chat_port = free_port(), free_port(), free_port()
    home = Home(tmp_path_factory.mktemp("sandbox") / "home", api_port=port)
    home.prepare(Ports(), empty=True)
    door = Door(home.keys)
    app = web.Application()
    app.router.add_post("/wecom/callback/{corp_id}/{agent_id}", door.callback)
    app.router.add_post("/mall/{corp_id}/{mall_id}", door.push)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", door_port).start()
    arguments = ["--port", str(port), "--corps", str(home.corps_file)]
    site = f"http://127.0.0.1:{door_port}"
    arguments += ["--gateway", site, "--chat-port", str(chat_port)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "deploy.sandbox", *arguments, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        try:
            for _ in range(400):
                try:
                    async with session.get(url + "/livez"):
                        break
                except aiohttp.ClientError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
            yield Platform(home, url, session, door, site=site, chat=f"http://127.0.0.1:{chat_port}")
        finally:
            process.terminate()
            await process.wait()
            await runner.cleanup()


def sdk_of(platform: Platform, *, second: bool = False) -> WeChatClient:
    base = f"{platform.url}/cgi-bin/"

    class Client(WeChatClient):  # type: ignore[misc]
        API_BASE_URL = base

        def fetch_access_token(self) -> Any:
            # The SDK's own method asks the real WeCom, whatever API_BASE_URL says.
            return self._fetch_access_token(
                url=base + "gettoken", params={"corpid": self.corp_id, "corpsecret": self.secret}
            )

    return Client(platform.keys["corp_id"], platform.keys[(SECOND if second else "") + "app_secret"])
