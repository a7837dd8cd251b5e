"""Stories through the front door: what customers do, what employees see."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from deploy.local.client import Client, Refused
from deploy.local.figures import ALERT_ID
from deploy.local.story import CHANNEL_NAMES
from deploy.local.suite import Suite
from tests.waiting import until


@asynccontextmanager
async def stream(client: Client, suite: Suite, **headers: str) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    """Events of a live stream as they come; opened when this enters."""
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    opened = asyncio.Event()

    async def read() -> None:
        authorised = {"Authorization": f"Bearer {client.token}", **headers}
        async with client.session.get(
            f"{suite.gateway}/api/v1/stream", headers=authorised, timeout=aiohttp.ClientTimeout(total=None)
        ) as answer:
            event: dict[str, Any] = {}
            async for raw in answer.content:
                opened.set()
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif event:
                    if "event" in event:
                        events.put_nowait(event)
                    event = {}

    task = asyncio.create_task(read())
    await asyncio.wait_for(opened.wait(), 10)
    try:
        yield events
    finally:
        task.cancel()


async def scan(admin: Client, person: str, userid: str, code: int = 1) -> dict[str, Any]:
    state = admin.codes.states[code]  # type: ignore[attr-defined]
    return await admin.sandbox("/sandbox/scan", {"state": state, "userid": userid, "person": person})


async def customer_of(admin: Client, external_userid: str) -> dict[str, Any] | None:
    token = ""
    while True:
        page = await admin.get("/api/v1/customers", pageSize="200", pageToken=token)
        for customer in page["customers"]:
            if any(one["value"] == external_userid for one in customer["identifiers"]):
                return customer
        token = page["nextPageToken"]
        if not token:
            return None


async def test_a_scan_becomes_a_customer_with_a_welcome(admin: Client) -> None:
    friend = await scan(admin, "story welcome", "guide_001")
    calls = await until(lambda: _welcomes(admin, friend), seconds=15)
    assert len(calls) == 1
    assert calls[0]["errcode"] == 0
    assert friend["name"] in calls[0]["body"]["text"]["content"]
    assert "导购" in calls[0]["body"]["text"]["content"]
    assert calls[0]["body"]["attachments"][0]["link"]["title"] == "新人礼"
    customer = await until(lambda: customer_of(admin, friend["external_userid"]))
    assert customer["name"] == friend["name"]
    assert [(one["userid"], one.get("endedAt")) for one in customer["relations"]] == [("guide_001", None)]


async def _welcomes(admin: Client, friend: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls with any of the codes that the corp's apps were given for this add."""
    codes = set(friend["welcome_codes"].values())
    answer = await admin.ask_sandbox("/sandbox/calls", api="externalcontact/send_welcome_msg")
    return [call for call in answer["calls"] if call["body"].get("welcome_code") in codes]


async def test_an_order_reaches_its_employee_on_stream_and_phone(admin: Client, guide: Client, suite: Suite) -> None:
    friend = await scan(admin, "story order", "guide_001")
    await until(lambda: customer_of(admin, friend["external_userid"]))
    async with stream(guide, suite) as events:
        order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "128.50"})
        alert: dict[str, Any] = {}
        while "orderPaid" not in alert:  # the friend, who was added before, may come first
            event = await asyncio.wait_for(events.get(), 15)
            alert = json.loads(event["data"])
        assert alert["orderPaid"]["orderId"] == order["order_id"]
        assert alert["orderPaid"]["paid"] == {"amount": "12850", "currency": "CNY"}
        assert alert["userid"] == "guide_001"
    received = await until(lambda: _received(admin, alert["alertId"]))
    assert friend["name"] in received[0]
    # The same event again, by its id: what came before it is not sent, what comes after is.
    before = str(int(event["id"]) - 1)
    async with stream(guide, suite, **{"Last-Event-ID": before}) as events:
        again = await asyncio.wait_for(events.get(), 15)
        assert again == event
    listed = await until(lambda: _listed(guide, "ALERT_KIND_ORDER_PAID", alert["alertId"]))
    assert listed["sentence"].startswith(f"{friend['name']} 付款 ¥128.50，订单 {order['order_id']}")
    assert await until(lambda: _listed_friend(guide, friend["name"]))


async def _listed(client: Client, kind: str, alert_id: str) -> dict[str, Any] | None:
    page = await client.get("/api/v1/alerts", kind=kind)
    return next((one for one in page["alerts"] if one["alertId"] == alert_id), None)


async def _listed_friend(client: Client, name: str) -> bool:
    page = await client.get("/api/v1/alerts", kind="ALERT_KIND_FRIEND_ADDED", userid="guide_001")
    said = f"{name} 通过「{CHANNEL_NAMES[1]}」添加您为好友"
    return any(one["sentence"].startswith(said) for one in page["alerts"])


async def _received(admin: Client, alert_id: str) -> list[str]:
    return [content for content in await admin.received_messages() if alert_id in ALERT_ID.findall(content)]


async def test_another_employee_sees_nothing_of_it(admin: Client, suite: Suite) -> None:
    friend = await scan(admin, "story scope", "guide_002")
    customer = await until(lambda: customer_of(admin, friend["external_userid"]))
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"]})
    path = f"/api/v1/malls/yz-main/orders/{order['order_id']}"
    await until(lambda: _owned(admin, path))
    async with Client(suite, admin.corp_id) as own, Client(suite, admin.corp_id) as other:
        await own.sign_in("guide_002")
        await other.sign_in("guide_140")
        assert (await own.get(f"/api/v1/customers/{customer['customerId']}"))["customer"]["name"] == friend["name"]
        assert (await own.get(path))["order"]["userid"] == "guide_002"
        for asked in (f"/api/v1/customers/{customer['customerId']}", path):
            with pytest.raises(Refused) as refusal:
                await other.get(asked)
            assert refusal.value.status == 404
        assert (await other.get("/api/v1/customers"))["customers"] == []
        assert (await other.get("/api/v1/orders"))["orders"] == []
        # A friend who leaves is no longer theirs.
        body = {"userid": "guide_002", "external_userid": friend["external_userid"], "by": "customer"}
        await admin.sandbox("/sandbox/delete", body)
        await until(lambda: _gone(own, f"/api/v1/customers/{customer['customerId']}"))


async def _owned(client: Client, path: str) -> bool:
    try:
        return bool((await client.get(path))["order"]["userid"])
    except Refused:
        return False


async def _gone(client: Client, path: str) -> bool:
    try:
        await client.get(path)
    except Refused as refusal:
        return refusal.status == 404
    return False


async def test_a_refund_and_its_status(admin: Client, suite: Suite) -> None:
    friend = await scan(admin, "story refund", "guide_004")
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "50.00"})
    path = f"/api/v1/malls/yz-main/orders/{order['order_id']}"
    await until(lambda: _owned(admin, path))
    found = (await admin.get(path))["order"]
    assert found["status"] == "ORDER_STATUS_PAID"
    assert found["paid"]["amount"] == "5000"
    assert found["channelId"] == admin.codes.channels[1]  # type: ignore[attr-defined]


async def test_a_paused_code_sends_its_adds_to_the_default_channel(admin: Client) -> None:
    channel = admin.codes.channels[0]  # type: ignore[attr-defined]
    body = {"channelId": channel, "name": "停用", "userids": ["guide_005"]}
    code = (await admin.post("/api/v1/live-codes", body))["liveCode"]
    path = f"/api/v1/live-codes/{code['liveCodeId']}"
    await until(lambda: _active(admin, path))
    before = await admin.get("/api/v1/figures/channels")
    paused = (await admin.post(path + ":pause", {}))["liveCode"]
    assert paused["status"] == "LIVE_CODE_STATUS_PAUSED"
    await admin.sandbox("/sandbox/scan", {"state": code["state"], "person": "story paused"})
    await admin.sandbox("/sandbox/scan", {"state": "nobody's", "userid": "guide_006", "person": "story unknown"})
    await admin.sandbox("/sandbox/scan", {"userid": "guide_006", "person": "story none"})

    async def counted() -> bool:
        now = await admin.get("/api/v1/figures/channels")
        names = ("addsWithStaleState", "addsWithUnknownState", "addsWithoutState")
        return [int(now[n]) - int(before[n]) for n in names] == [1, 1, 1]

    await until(counted)


async def _active(client: Client, path: str) -> bool:
    return bool((await client.get(path))["liveCode"]["status"] == "LIVE_CODE_STATUS_ACTIVE")


async def test_a_half_add_and_its_confirmation_are_one_acquisition(admin: Client) -> None:
    channel = admin.codes.channels[3]  # type: ignore[attr-defined]

    async def adds() -> int:
        figures = await admin.get("/api/v1/figures/channels")
        return int(next(one["adds"] for one in figures["channels"] if one["channelId"] == channel))

    before = await adds()
    state = admin.codes.states[3]  # type: ignore[attr-defined]
    body = {"state": state, "userid": "guide_013", "person": "story half", "half": True}
    friend = await admin.sandbox("/sandbox/scan", body)
    who = {"userid": "guide_013", "external_userid": friend["external_userid"]}
    await until(lambda: _welcomes(admin, friend))
    later = {"at": int(time.time()) + 3, "fields": {"State": state}}
    for change in ("add_external_contact", "transfer_fail", "msg_audit_approved"):
        await admin.sandbox("/sandbox/event", {**who, **later, "change": change})
    await admin.drained(30)
    assert await adds() == before + 1
    customer = await customer_of(admin, friend["external_userid"])
    assert customer is not None
    assert len(customer["relations"]) == 1


async def test_a_live_code_wecom_refuses_says_why(admin: Client) -> None:
    channel = admin.codes.channels[0]  # type: ignore[attr-defined]
    body = {"channelId": channel, "name": "错误", "userids": ["nobody_here"]}
    code = (await admin.post("/api/v1/live-codes", body))["liveCode"]

    async def failed() -> str:
        now = (await admin.get(f"/api/v1/live-codes/{code['liveCodeId']}"))["liveCode"]
        return str(now["failure"]) if now["status"] == "LIVE_CODE_STATUS_FAILED" else ""

    assert "40003" in await until(failed)


async def test_wecom_at_its_worst_still_gets_every_welcome_once(admin: Client) -> None:
    faults = {"seed": 3, "busy": 0.2, "http_5xx": 0.1, "token_expiry": 0.05, "sending_elsewhere": 0.2, "duplicate": 0.5}
    await admin.sandbox("/sandbox/faults", faults)
    try:
        friends = [await scan(admin, f"storm {n}", "guide_009") for n in range(20)]
        # Whichever app's code was used: it welcomed this friend.
        welcomed_by = {code: f["external_userid"] for f in friends for code in f["welcome_codes"].values()}

        async def welcomed() -> bool:
            answer = await admin.ask_sandbox("/sandbox/calls", api="externalcontact/send_welcome_msg")
            sent = [c["body"].get("welcome_code") for c in answer["calls"] if c["errcode"] == 0]
            ours = [welcomed_by[code] for code in sent if code in welcomed_by]
            assert len(ours) == len(set(ours))
            return set(ours) == set(welcomed_by.values())

        await until(welcomed, seconds=20)
    finally:
        await admin.sandbox("/sandbox/faults", dict.fromkeys(faults, 0))
