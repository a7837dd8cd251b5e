"""The sandbox as a stranger meets it: an independent WeCom SDK talks to it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from deploy.local.home import Home, Ports
from deploy.sandbox import memory
from deploy.sandbox.world import AppMessage, ContactWay, Friendship, Member, Welcome, World
from tests.conftest import ROOT, free_port_base


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Ports]]:
    home, ports = Home(tmp_path_factory.mktemp("sandbox") / "home"), Ports(free_port_base())
    home.prepare(ports, empty=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.sandbox", "--port", str(ports.sandbox), "--corps", str(home.corps_file)],
        cwd=ROOT,
    )
    try:
        for _ in range(400):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{ports.sandbox}/livez", timeout=1):
                    break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None
                time.sleep(0.05)
        yield home, ports
    finally:
        process.terminate()
        process.wait(10)


def test_what_the_platform_knows_outlives_a_run(home: tuple[Home, Ports], tmp_path: Path) -> None:
    corp_id, kept = home[0].keys["corp_id"], tmp_path / "sandbox.json"
    world = World(home[0].corps_file, members=3)
    corp = world.corps[corp_id]
    person = corp.add_person("小王", yz_open_ids=["yz1", "yz2"])
    corp.contact_ways["c1"] = ContactWay("c1", {"state": "s1"}, 1.0)
    for userid in ("guide_001", "guide_002"):
        corp.friendships.add(Friendship(userid, person.external_userid, "s1", 1))
    corp.welcomes["w1"] = Welcome("w1", "guide_001", person.external_userid, issued_at=2.0, sent=True)
    corp.messages["guide_001"] += [AppMessage("guide_001", "a", 1.0, False), AppMessage("guide_001", "b", 2.0, True)]
    corp.members["guide_009"] = Member("guide_009", "导购王伟", [2, 3])
    memory.save(world, kept)

    again = World(home[0].corps_file, members=3)
    assert again.corps != world.corps
    memory.recall(again, kept)
    assert again.corps == world.corps
    assert again.corps[corp_id].buyer("yz2") == person
    memory.recall(again, tmp_path / "missing.json")


@pytest.fixture(scope="module")
def sdk(home: tuple[Home, Ports]) -> WeChatClient:
    base = f"http://127.0.0.1:{home[1].sandbox}/cgi-bin/"

    class Client(WeChatClient):  # type: ignore[misc]
        API_BASE_URL = base

        def fetch_access_token(self) -> Any:
            # The SDK's own method asks the real WeCom, whatever API_BASE_URL says.
            return self._fetch_access_token(
                url=base + "gettoken", params={"corpid": self.corp_id, "corpsecret": self.secret}
            )

    return Client(home[0].keys["corp_id"], home[0].keys["app_secret"])


async def errcode(call: Callable[..., Any], *arguments: Any, **named: Any) -> int:
    with pytest.raises(WeChatClientException) as refusal:
        await asyncio.to_thread(call, *arguments, **named)
    return int(refusal.value.errcode)


def test_address_book(sdk: WeChatClient) -> None:
    departments = sdk.get("department/list")["department"]
    assert departments[0]["id"] == 1
    assert sdk.user.get("guide_007")["userid"] == "guide_007"


async def test_contact_ways(sdk: WeChatClient) -> None:
    made = sdk.external_contact.add_contact_way(2, 2, remark="r", state="s" * 30, user=["guide_001", "guide_002"])
    got = sdk.external_contact.get_contact_way(made["config_id"])["contact_way"]
    assert (got["state"], got["user"], got["qr_code"]) == ("s" * 30, ["guide_001", "guide_002"], made["qr_code"])
    post = sdk.post
    way = {"type": 2, "scene": 2, "user": ["guide_001"]}
    for wrong, code in (
        ({"scene": 2}, 41037),
        ({"type": 2}, 41038),
        ({**way, "type": 9}, 41039),
        ({**way, "scene": 9}, 41040),
        ({**way, "state": "s" * 31}, 40058),
        ({**way, "user": ["nobody"]}, 40003),
        ({**way, "user": ["guide_001"] * 101}, 41041),
        ({**way, "colour": "red"}, 40035),
    ):
        assert await errcode(post, "externalcontact/add_contact_way", data=wrong) == code
    assert await errcode(post, "externalcontact/get_contact_way", data={}) == 41043
    assert await errcode(post, "externalcontact/get_contact_way", data={"config_id": "x"}) == 41044


async def test_welcomes_and_messages(sdk: WeChatClient) -> None:
    post = sdk.post
    assert await errcode(post, "externalcontact/send_welcome_msg", data={"text": {"content": "x"}}) == 41049
    unknown = {"welcome_code": "x", "text": {"content": "x"}}
    assert await errcode(post, "externalcontact/send_welcome_msg", data=unknown) == 41050
    message = {"touser": "guide_001", "msgtype": "text", "agentid": 1000002, "text": {"content": "hello"}}
    assert post("message/send", data=message)["errcode"] == 0
    assert await errcode(post, "message/send", data={**message, "touser": "nobody"}) == 81013
    assert await errcode(post, "message/send", data={**message, "agentid": 1}) == 301002
    assert await errcode(post, "message/send", data={**message, "text": {"content": ""}}) == 44004


async def test_contacts_and_tokens(sdk: WeChatClient) -> None:
    assert await errcode(sdk.external_contact.get, "wmNOBODY") == 40096
    first = sdk.fetch_access_token()["access_token"]
    assert sdk.fetch_access_token()["access_token"] == first, "the same token inside its validity"
