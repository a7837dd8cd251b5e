"""The sandbox as a stranger meets it: an independent WeCom SDK talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from deploy.sandbox import memory
from deploy.sandbox.people import AppMessage, ContactWay, Friendship, Member, Welcome
from deploy.sandbox.world import World
from tests.contract.sandbox.conftest import SECOND_AGENT, Platform, sdk_of
from tests.waiting import until

WAY = {"type": 2, "scene": 2, "user": ["guide_001"]}


def test_what_the_platform_knows_outlives_a_run(platform: Platform, tmp_path: Path) -> None:
    corp_id, kept = platform.keys["corp_id"], tmp_path / "sandbox.json"
    world = World(platform.home.corps_file, members=3)
    corp = world.corps[corp_id]
    person = corp.add_person("小王", yz_open_ids=["yz1", "yz2"])
    corp.contact_ways["c1"] = ContactWay("c1", {"state": "s1"}, 1.0)
    for userid in ("guide_001", "guide_002"):
        corp.friendships.add(Friendship(userid, person.external_userid, "s1", 1, add_way=202))
    corp.welcomes["w1"] = Welcome("w1", "guide_001", person.external_userid, 1000002, ["w2"], issued_at=2.0, sent=True)
    corp.messages["guide_001"] += [AppMessage("guide_001", "a", 1.0, False), AppMessage("guide_001", "b", 2.0, True)]
    corp.members["guide_009"] = Member("guide_009", "导购王伟", [2, 3], status=2)
    memory.save(world, kept)

    again = World(platform.home.corps_file, members=3)
    assert again.corps != world.corps
    memory.recall(again, kept)
    assert again.corps == world.corps
    assert again.corps[corp_id].buyer("yz2") == person
    memory.recall(again, tmp_path / "missing.json")


@pytest.fixture
def sdk(platform: Platform) -> WeChatClient:
    return sdk_of(platform)


async def errcode(call: Callable[..., Any], *arguments: Any, **named: Any) -> int:
    with pytest.raises(WeChatClientException) as refusal:
        await asyncio.to_thread(call, *arguments, **named)
    return int(refusal.value.errcode)


async def test_address_book(platform: Platform, sdk: WeChatClient) -> None:
    departments = sdk.get("department/list")["department"]
    assert departments[0]["id"] == 1
    assert sdk.user.get("guide_007")["status"] == 1
    await platform.control("/sandbox/member", {"userid": "guide_007", "status": 2})
    # The list says nothing of status, and goes on naming who is disabled.
    listed = {u["userid"]: u for d in departments for u in sdk.user.list(d["id"], simple=True)}
    assert set(listed["guide_007"]) == {"userid", "name", "department"}
    assert sdk.user.get("guide_007")["status"] == 2
    paged = sdk.post("user/list_id", data={"limit": 100})
    assert len(paged["dept_user"]) == 100
    assert paged["next_cursor"]
    disabled = {**WAY, "user": ["guide_007"]}
    assert await errcode(sdk.post, "externalcontact/add_contact_way", data=disabled) == 41054


async def test_contact_ways(sdk: WeChatClient) -> None:
    made = sdk.external_contact.add_contact_way(2, 2, remark="r", state="s" * 30, user=["guide_001", "guide_002"])
    got = sdk.external_contact.get_contact_way(made["config_id"])["contact_way"]
    assert (got["state"], got["user"], got["qr_code"]) == ("s" * 30, ["guide_001", "guide_002"], made["qr_code"])
    post = sdk.post
    for wrong, code in (
        ({"scene": 2}, 41037),
        ({"type": 2}, 41038),
        ({**WAY, "type": 9}, 41039),
        ({**WAY, "scene": 9}, 41040),
        ({**WAY, "state": "s" * 31}, 40058),
        ({**WAY, "user": ["nobody"]}, 40003),
        ({**WAY, "user": ["guide_001"] * 101}, 41041),
        ({**WAY, "colour": "red"}, 40035),
    ):
        assert await errcode(post, "externalcontact/add_contact_way", data=wrong) == code
    assert await errcode(post, "externalcontact/get_contact_way", data={}) == 41043
    assert await errcode(post, "externalcontact/get_contact_way", data={"config_id": "x"}) == 41044


async def test_messages(platform: Platform, sdk: WeChatClient) -> None:
    post = sdk.post
    message = {"touser": "guide_001", "msgtype": "text", "agentid": 1000002, "text": {"content": "hello"}}
    assert post("message/send", data=message)["errcode"] == 0
    assert await errcode(post, "message/send", data={**message, "touser": "nobody"}) == 81013
    assert await errcode(post, "message/send", data={**message, "agentid": SECOND_AGENT}) == 301002
    assert await errcode(post, "message/send", data={**message, "text": {"content": ""}}) == 44004
    await platform.control("/sandbox/member", {"userid": "guide_003", "status": 4})
    assert await errcode(post, "message/send", data={**message, "touser": "guide_003"}) == 81013


async def test_contacts_and_tokens(platform: Platform, sdk: WeChatClient) -> None:
    assert await errcode(sdk.external_contact.get, "wmNOBODY") == 40096
    first = sdk.fetch_access_token()["access_token"]
    assert sdk.fetch_access_token()["access_token"] == first, "the same token inside its validity"
    assert sdk_of(platform, second=True).fetch_access_token()["access_token"] != first
    await platform.faults(busy=1)
    assert await errcode(sdk.fetch_access_token) == -1


async def test_each_app_is_told_with_a_code_of_its_own_and_one_welcomes(platform: Platform, sdk: WeChatClient) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "two apps"})
    told = await platform.told("add_external_contact", friend["external_userid"], count=2)
    codes = {one["AgentID"]: one["WelcomeCode"] for one in told}
    assert codes == friend["welcome_codes"]
    main, second = codes["1000002"], codes[str(SECOND_AGENT)]
    assert main != second

    def welcome(client: WeChatClient, code: str) -> dict[str, Any]:
        body = {"welcome_code": code, "text": {"content": "hello"}}
        answer: dict[str, Any] = client.post("externalcontact/send_welcome_msg", data=body)
        return answer

    other = sdk_of(platform, second=True)
    assert await errcode(welcome, sdk, second) == 41050, "another app's code"
    assert await errcode(welcome, sdk, "x") == 41050
    assert await errcode(welcome, sdk, "") == 41049
    assert welcome(other, second)["errcode"] == 0
    assert await errcode(welcome, sdk, main) == 41051, "the other app has welcomed"


async def test_a_rival_in_flight_and_then_delivered(platform: Platform, sdk: WeChatClient) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "rival"})
    await platform.told("add_external_contact", friend["external_userid"], count=2)
    await platform.faults(sending_elsewhere=1, rival_wins=1)
    body = {"welcome_code": friend["welcome_code"], "text": {"content": "hello"}}
    assert await errcode(sdk.post, "externalcontact/send_welcome_msg", data=body) == 41096
    assert await errcode(sdk.post, "externalcontact/send_welcome_msg", data=body) == 41051


async def test_consent_comes_first_and_brings_a_code(platform: Platform, sdk: WeChatClient) -> None:
    scanned = {"userid": "guide_001", "person": "archive", "awaits_consent": True}
    friend = await platform.control("/sandbox/scan", scanned)
    await platform.told("add_external_contact", friend["external_userid"], count=2)
    body = {"welcome_code": friend["welcome_code"], "text": {"content": "hello"}}
    assert await errcode(sdk.post, "externalcontact/send_welcome_msg", data=body) == 41053
    who = {"userid": "guide_001", "external_userid": friend["external_userid"]}
    agreed = await platform.control("/sandbox/consent", who)
    told = await platform.told("msg_audit_approved", friend["external_userid"], count=2)
    assert {one["AgentID"]: one["WelcomeCode"] for one in told} == agreed["welcome_codes"]
    body["welcome_code"] = agreed["welcome_codes"]["1000002"]
    assert sdk.post("externalcontact/send_welcome_msg", data=body)["errcode"] == 0


async def test_adds_without_a_code_and_half_adds(platform: Platform) -> None:
    plain = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "no code", "code": False})
    told = await platform.told("add_external_contact", plain["external_userid"], count=2)
    assert not any("WelcomeCode" in one for one in told)
    half = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "half", "half": True})
    who = {"userid": "guide_001", "external_userid": half["external_userid"]}
    await platform.told("add_half_external_contact", half["external_userid"], count=2)
    await platform.control("/sandbox/confirm", who)
    told = await platform.told("add_external_contact", half["external_userid"], count=2)
    assert {one["WelcomeCode"] for one in told} == set(half["welcome_codes"].values()), "not used: still good"


async def test_three_attempts_unless_told_otherwise(platform: Platform) -> None:
    platform.door.status = 503
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "three attempts"})

    async def given_up() -> list[int]:
        deliveries = (await platform.ask("/sandbox/deliveries"))["deliveries"]
        ours = [one for one in deliveries if one["about"] == friend["external_userid"]]
        return [one["attempts"] for one in ours] if len(ours) == 2 else []

    assert await until(given_up, seconds=15) == [3, 3]


async def test_the_answer_is_lost_after_the_effect(platform: Platform, sdk: WeChatClient) -> None:
    before = {way["config_id"] for way in sdk.post("externalcontact/list_contact_way", data={})["contact_way"]}
    token = sdk.fetch_access_token()["access_token"]
    address = f"{platform.url}/cgi-bin/externalcontact/add_contact_way?access_token={token}"
    await platform.faults(answer_lost=1)
    for _ in range(4):
        with pytest.raises(aiohttp.ClientError):
            async with platform.session.post(address, json=WAY) as answer:
                answer.raise_for_status()
    await platform.faults(answer_lost=0)
    after = {way["config_id"] for way in sdk.post("externalcontact/list_contact_way", data={})["contact_way"]}
    assert len(after - before) == 4


async def test_quotas_by_the_minute_by_the_hour_and_at_once(platform: Platform, sdk: WeChatClient) -> None:
    sdk.fetch_access_token()
    await platform.faults(calls_per_minute=0)
    assert await errcode(sdk.get, "department/list") == 45009
    await platform.faults(calls_per_minute=10_000)
    assert await errcode(sdk.get, "department/list") == 45009, "blocked, whatever the quota is by now"
    await platform.faults(calls_per_hour=0)
    assert await errcode(sdk.user.get, "guide_001") == 45009
    await platform.faults(calls_at_once=0)
    assert await errcode(sdk.get, "externalcontact/get_follow_user_list") == 45033


async def test_what_an_app_may(platform: Platform, sdk: WeChatClient) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "visible"})
    await platform.control("/sandbox/app", {"visible": ["guide_002"]})
    assert await errcode(sdk.user.get, "guide_001") == 60011
    assert await errcode(sdk.external_contact.get, friend["external_userid"]) == 84061
    unseen = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "unseen"})
    told = await platform.told("add_external_contact", unseen["external_userid"], count=1)
    assert [one["AgentID"] for one in told] == [str(SECOND_AGENT)]
    await platform.control("/sandbox/app", {"visible": None, "may_contacts": False})
    assert await errcode(sdk.external_contact.get, friend["external_userid"]) == 48002
    await platform.control("/sandbox/app", {"trusted": False})
    assert await errcode(sdk.user.get, "guide_001") == 60020
    assert sdk.fetch_access_token()["access_token"], "the token itself is still given"


async def test_a_member_gets_another_userid(platform: Platform, sdk: WeChatClient) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_011", "person": "renamed"})
    await platform.control("/sandbox/member", {"userid": "guide_011", "new_userid": "guide_011_new"})
    told = await platform.told("update_user", count=2)
    assert {(one["UserID"], one["NewUserID"]) for one in told} == {("guide_011", "guide_011_new")}
    assert await errcode(sdk.user.get, "guide_011") == 60111
    follow = sdk.external_contact.get(friend["external_userid"])["follow_user"]
    assert [one["userid"] for one in follow] == ["guide_011_new"]
    message = {"touser": "guide_011", "msgtype": "text", "agentid": 1000002, "text": {"content": "hello"}}
    assert sdk.post("message/send", data=message)["invaliduser"] == ""
    await platform.faults(former_userid_seconds=0)
    assert await errcode(sdk.post, "message/send", data=message) == 81013


async def test_a_customer_is_handed_over(platform: Platform, sdk: WeChatClient) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "handed over"})
    who = {"userid": "guide_001", "external_userid": friend["external_userid"]}
    await platform.told("add_external_contact", friend["external_userid"], count=2)
    await platform.control("/sandbox/transfer", {**who, "taker": "guide_002"})
    deleted = await platform.told("del_external_contact", friend["external_userid"], count=2)
    assert {(one["UserID"], one["Source"]) for one in deleted} == {("guide_001", "DELETE_BY_TRANSFER")}
    added = await platform.told("add_external_contact", friend["external_userid"], count=4)
    assert {(one["UserID"], one.get("State"), one.get("WelcomeCode")) for one in added[2:]} == {
        ("guide_002", None, None)
    }
    follow = sdk.external_contact.get(friend["external_userid"])["follow_user"]
    assert [(one["userid"], one["add_way"]) for one in follow] == [("guide_002", 202)]


async def test_who_comes_back(platform: Platform) -> None:
    scan = {"userid": "guide_001", "person": "comes back"}
    friend = await platform.control("/sandbox/scan", scan)
    who = {"userid": "guide_001", "external_userid": friend["external_userid"]}
    assert (await platform.control("/sandbox/scan", scan))["welcome_code"] is None, "friends already: nothing is told"

    async def adds() -> int:
        async def all_sent() -> bool:
            return bool((await platform.ask("/sandbox/deliveries"))["open"] == 0)

        await until(all_sent)
        return sum(one["ChangeType"] == "add_external_contact" for one in platform.door.told)

    assert await adds() == 2
    await platform.control("/sandbox/delete", who)
    await platform.control("/sandbox/scan", scan)
    assert await adds() == 4
    await platform.control("/sandbox/delete", who)
    await platform.faults(quiet_return=1)
    await platform.control("/sandbox/scan", scan)
    assert await adds() == 4
    assert len(await platform.told("del_follow_user", friend["external_userid"], count=4)) == 4


async def test_sign_in_takes_letters_and_digits(platform: Platform) -> None:
    async def status(state: str) -> int:
        params = {"appid": platform.keys["corp_id"], "redirect_uri": "http://here", "state": state, "as": "admin"}
        address = f"{platform.url}/connect/oauth2/authorize"
        async with platform.session.get(address, params=params, allow_redirects=False) as answer:
            return answer.status

    assert [await status(one) for one in ("", "aZ9" * 42 + "xy", "a" * 129, "a.b", "a-b", "é")] == [
        302, 302, 400, 400, 400, 400
    ]  # fmt: skip


async def test_the_web_login_is_for_an_app_of_the_corp(platform: Platform) -> None:
    right = {"login_type": "CorpApp", "appid": platform.keys["corp_id"], "agentid": "1000002", "as": "operator"}

    async def answered(**changed: str) -> tuple[int, str]:
        params = right | {"redirect_uri": "http://here/back", "state": "abc"} | changed
        address = f"{platform.url}/wwlogin/sso/login"
        async with platform.session.get(address, params=params, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "")

    status, address = await answered()
    assert status == 302
    assert address.startswith("http://here/back?code=")
    assert address.endswith("&state=abc")
    for wrong in ({"login_type": "ServiceApp"}, {"agentid": "7"}, {"appid": "ww0"}, {"as": "nobody"}):
        assert (await answered(**wrong))[0] == 400, wrong


async def test_the_sign_in_page_offers_one_of_each_role(platform: Platform) -> None:
    params = {"appid": platform.keys["corp_id"], "redirect_uri": "http://here"}
    async with platform.session.get(f"{platform.url}/connect/oauth2/authorize", params=params) as answer:
        page = await answer.text()
    offered = page.partition('class="offered"')[2].partition("</div>")[0]
    assert [name for name in ("管理员", "运营", "部门主管", "一线员工") if f"<b>{name}</b>" in offered] == [
        "管理员", "运营", "部门主管", "一线员工"
    ]  # fmt: skip
    assert offered.count("as=") == 4
    assert page.count("as=guide_") >= 100


async def test_an_unknown_fault_is_refused(platform: Platform) -> None:
    for wrong in ({"nonsense": 1}, {"busy": 2}, {"attempts": -1}, {"busy": True}):
        with pytest.raises(aiohttp.ClientResponseError) as refusal:
            await platform.control("/sandbox/faults", wrong)
        assert refusal.value.status == 400
