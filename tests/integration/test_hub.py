"""The hub of live streams: both types of alerts in one shape, and jobs, live and read back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from bihuan.common.v1.money_pb2 import Money
from bihuan.operations.v1.job_service_pb2 import Job, JobState
from bihuan.staff.v1.facts_pb2 import AlertKind, JobChanged, NounChanged, StaffAlerted, StaffAlertRaised
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from nats.js import JetStreamContext

from chassis.facts import Fact, new_fact
from chassis.kernel.caller import Caller
from chassis.kernel.changes import EVERYBODY
from chassis.kernel.staff_subject import staff_suffix
from gateway import app_keys
from gateway.changes import told
from gateway.hub import Event, Hub, Reader
from gateway.stream import CHECK_SECONDS, add_routes, encode
from tests.conftest import CORP
from tests.waiting import until

NOW = Timestamp(seconds=1_800_000_000)


@asynccontextmanager
async def running(js: JetStreamContext) -> AsyncIterator[Hub]:
    hub = Hub(js, encode)
    hub.start()
    try:
        # It follows from when it has a consumer of its own.
        await until(lambda: _follows(hub))
        yield hub
    finally:
        await hub.stop()


async def _follows(hub: Hub) -> bool:
    return hub._last is not None


async def state(js: JetStreamContext, message: Any) -> int:
    fact = new_fact(message, corp_id=CORP, source="tests", subject_suffix=staff_suffix(message.corp_id, message.userid))
    return (await js.publish(fact.subject, fact.payload, headers=fact.headers)).seq


def alerted(alert_id: str, userid: str) -> Message:
    added = StaffAlerted.FriendAdded(channel_id="c", returning=True)
    return StaffAlerted(alert_id=alert_id, corp_id=CORP, userid=userid, friend_added=added, at=NOW, arrived_at=NOW)


def raised(alert_id: str, userid: str) -> Message:
    return StaffAlertRaised(
        alert_id=alert_id, corp_id=CORP, userid=userid, kind=AlertKind.ALERT_KIND_ORDER_PAID, mall_id="yz",
        order_id="E1", amount=Money(amount=5, currency="CNY"), at=NOW, arrived_at=NOW,
    )  # fmt: skip


def read(event: Event) -> tuple[int, dict[str, Any]]:
    lines = event.text.decode().splitlines()
    assert lines[1] == "event: alert"
    assert event.text.endswith(b"\n\n")
    return int(lines[0].removeprefix("id: ")), json.loads(lines[2].removeprefix("data: "))


async def next_of(reader: Reader) -> tuple[int, dict[str, Any]]:
    event = await asyncio.wait_for(reader.queue.get(), 10)
    assert event is not None
    return read(event)


async def test_both_types_reach_their_reader_in_one_shape(jetstream: JetStreamContext) -> None:
    async with running(jetstream) as hub:
        own = hub.join(staff_suffix(CORP, "hub-anna"), lambda: None)
        whole_corp = hub.join(f".{CORP}.", lambda: None)
        other = hub.join(staff_suffix(CORP, "hub-bob"), lambda: None)
        first = await state(jetstream, raised("A1", "hub-anna"))
        second = await state(jetstream, alerted("A2", "hub-anna"))
        for reader in (own, whole_corp):
            sequence, old = await next_of(reader)
            assert (sequence, old["alertId"], old["cause"]) == (first, "A1", "order_paid/yz/E1")
            assert old["orderPaid"]["paid"] == {"amount": "5", "currency": "CNY"}
            sequence, new = await next_of(reader)
            assert (sequence, new["alertId"], new["friendAdded"]["returning"]) == (second, "A2", True)
            assert old.keys() - {"orderPaid"} == new.keys() - {"friendAdded"}
        assert other.queue.empty()


async def test_what_was_missed_is_read_back_of_both_types(jetstream: JetStreamContext) -> None:
    hub = Hub(jetstream, encode)
    start = await state(jetstream, alerted("B0", "hub-carl"))
    await state(jetstream, raised("B1", "hub-carl"))
    await state(jetstream, alerted("B2", "hub-dora"))
    await state(jetstream, alerted("B3", "hub-carl"))
    whole, missed = await hub.since(start, staff_suffix(CORP, "hub-carl"))
    assert whole
    assert [read(event)[1]["alertId"] for event in missed] == ["B1", "B3"]
    _, of_corp = await hub.since(start, f".{CORP}.")
    assert [read(event)[1]["alertId"] for event in of_corp] == ["B1", "B2", "B3"]


async def test_a_job_reaches_whoever_asked_for_it(jetstream: JetStreamContext) -> None:
    async with running(jetstream) as hub:
        own = hub.join(staff_suffix(CORP, "hub-frida"), lambda: None)
        other = hub.join(staff_suffix(CORP, "hub-gert"), lambda: None)
        job = Job(job_id="J1", service="identity", state=JobState.JOB_STATE_RUNNING, done=3, total=9)
        sequence = await state(jetstream, JobChanged(corp_id=CORP, userid="hub-frida", job=job, at=NOW))
        event = await asyncio.wait_for(own.queue.get(), 10)
        assert event is not None
        first, name, data = event.text.decode().splitlines()[:3]
        assert (first, name) == (f"id: {sequence}", "event: job")
        shown = json.loads(data.removeprefix("data: "))
        assert (shown["jobId"], shown["state"], shown["done"], shown["total"]) == ("J1", "JOB_STATE_RUNNING", "3", "9")
        assert other.queue.empty()


async def test_a_type_of_another_release_disturbs_nobody(jetstream: JetStreamContext) -> None:
    async with running(jetstream) as hub:
        reader = hub.join(staff_suffix(CORP, "hub-emil"), lambda: None)
        start = await state(jetstream, alerted("C0", "hub-emil"))
        subject = f"evt.bihuan.staff.v1.StaffPraised{staff_suffix(CORP, 'hub-emil')}"
        await jetstream.publish(subject, b"\xff")
        await state(jetstream, alerted("C2", "hub-emil"))
        assert [(await next_of(reader))[1]["alertId"] for _ in range(2)] == ["C0", "C2"]
        _, missed = await hub.since(start, reader.address)
        assert [read(event)[1]["alertId"] for event in missed] == ["C2"]


def changed(noun: str, corp_id: str = CORP) -> Fact:
    message = NounChanged(corp_id=corp_id, noun=noun, ids=["1"])
    return new_fact(message, corp_id=corp_id, source="tests", subject_suffix=f".{corp_id}.{EVERYBODY}")


async def test_a_change_reaches_those_who_may_list_what_changed(jetstream: JetStreamContext) -> None:
    async with running(jetstream) as hub:
        roles = readers_by_role(hub)
        await sent(jetstream, changed("channels", "wwother"))
        for noun in ("channels", "orders", "api-keys", "nonsense"):
            await sent(jetstream, changed(noun))
        await state(jetstream, JobChanged(corp_id=CORP, userid="hub-OPERATOR", job=Job(job_id="J9"), at=NOW))
        for role, heard in {
            "OPERATOR": [("channels", ["1"]), ("orders", ["1"])],
            "ANALYST": [("channels", ["1"]), ("orders", ["1"])],
            # A part of the orders is theirs: which of all changed is not said.
            "MANAGER": [("channels", ["1"]), ("orders", [])],
            "ADMIN": [("channels", ["1"]), ("orders", ["1"]), ("api-keys", ["1"])],
            "FRONTLINE": [],
        }.items():
            assert [(one["noun"], one["ids"]) for one in await changes(roles[role], len(heard))] == heard
        # What came last has been handed out: so has everything before it.
        await asyncio.wait_for(roles["OPERATOR"].queue.get(), 10)
        assert roles["FRONTLINE"].queue.empty()


async def test_an_alert_moves_the_lists_of_others_who_see_them_and_tells_nobody_whose_it_is(
    jetstream: JetStreamContext,
) -> None:
    async with running(jetstream) as hub:
        roles = readers_by_role(hub)
        sequence = await state(jetstream, alerted("E1", "hub-FRONTLINE"))
        for reader in (roles["FRONTLINE"], roles["ADMIN"]):
            assert (await next_of(reader))[0] == sequence
        moved = [{"noun": noun, "ids": []} for noun in ("alerts", "customers", "orders")]
        for role in ("OPERATOR", "ANALYST", "MANAGER"):
            told_now = await texts(roles[role], 3)
            assert [json.loads(one.split("data: ")[1]) for one in told_now] == moved
            assert not any(one.startswith("id:") for one in told_now), "nobody resumes behind it"
        assert roles["FRONTLINE"].queue.empty()
        assert roles["ADMIN"].queue.empty()


async def test_a_flood_of_alerts_moves_a_list_once(
    jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.MOVED_SECONDS", 3600.0)
    async with running(jetstream) as hub:
        operator = readers_by_role(hub)["OPERATOR"]
        for number in range(40):
            await state(jetstream, alerted(f"F{number}", "hub-FRONTLINE"))
        await sent(jetstream, changed("channels"))
        assert [one["noun"] for one in await changes(operator, 4)] == ["alerts", "customers", "orders", "channels"]


async def test_what_moves_while_a_list_rests_is_told_then(
    jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.hub.MOVED_SECONDS", 0.2)
    async with running(jetstream) as hub:
        operator = readers_by_role(hub)["OPERATOR"]
        await state(jetstream, alerted("G1", "hub-FRONTLINE"))
        await changes(operator, 3)
        await state(jetstream, alerted("G2", "hub-FRONTLINE"))
        assert {one["noun"] for one in await changes(operator, 3)} == {"alerts", "customers", "orders"}


class Door:
    """Whoever asks is one member, in a role that changes."""

    def __init__(self, role: str) -> None:
        self.role = role

    async def caller(self, request: web.Request) -> Caller:
        return Caller(CORP, "hub-mover", self.role)


async def test_a_stream_of_a_former_role_ends(jetstream: JetStreamContext) -> None:
    """Which rows changed is told to those alone who may list them now."""
    async with running(jetstream) as hub:
        app, door = web.Application(), Door("OPERATOR")
        app[app_keys.DOORKEEPER] = door  # type: ignore[assignment]
        add_routes(app, hub)
        async with TestServer(app) as server, ClientSession() as client:
            async with client.get(server.make_url("/api/v1/stream")) as stream:
                await stream.content.readuntil(b": open\n\n")
                door.role = "FRONTLINE"
                await asyncio.sleep(CHECK_SECONDS)
                await sent(jetstream, changed("orders"))
                assert await asyncio.wait_for(stream.content.read(), 10) == b""
            async with client.get(server.make_url("/api/v1/stream")) as stream:
                assert await stream.content.readuntil(b": open\n\n"), "it is open to the new role"


def readers_by_role(hub: Hub) -> dict[str, Reader]:
    """Somebody of each role at an open page; an administrator follows the whole corp."""
    roles = {
        role: hub.join(staff_suffix(CORP, f"hub-{role}"), lambda: None, told(role))
        for role in ("OPERATOR", "ANALYST", "MANAGER", "FRONTLINE")
    }
    return roles | {"ADMIN": hub.join(f".{CORP}.", lambda: None, told("ADMIN"))}


async def changes(reader: Reader, count: int) -> list[dict[str, Any]]:
    return [json.loads(one.split("data: ")[1]) for one in await texts(reader, count)]


async def sent(js: JetStreamContext, fact: Fact) -> None:
    await js.publish(fact.subject, fact.payload, headers=fact.headers)


async def texts(reader: Reader, count: int) -> list[str]:
    events = [await asyncio.wait_for(reader.queue.get(), 10) for _ in range(count)]
    return [event.text.decode() for event in events if event is not None]
