"""Live streams in number and in trouble: 2,000 on one gateway, resumed at another, dropped when nobody reads."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import time
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import jwt
import nats
import pytest
import pytest_asyncio
from bihuan.common.v1.money_pb2 import Money
from bihuan.staff.v1.facts_pb2 import AlertKind, StaffAlertRaised

from chassis.facts import new_fact
from chassis.kernel.staff_subject import staff_suffix
from deploy.local.client import Client
from deploy.local.story import sign_in_patiently
from tests.faults.campaign import Field
from tests.waiting import until

STREAMS = 2000
GUIDES = 200
CONTACT = "00000000-0000-7000-8000-000000000000"


class Reader:
    """One open stream over a bare socket; `ids` are the events seen, `names` their kinds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.ids: list[int] = []
        self.alerts: list[str] = []
        self.names: list[str] = []
        self.ended = False
        self.task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, ground: Field, token: str, *, at: int = 0, last: int | None = None, slow: bool = False
    ) -> Reader:
        sock = socket.socket()
        if slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        port = int(ground.suite.gateways[at].rsplit(":", 1)[1])
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        made = cls(*await asyncio.open_connection(sock=sock, limit=4096))
        resume = f"Last-Event-ID: {last}\r\n" if last is not None else ""
        made._writer.write(
            f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{resume}\r\n".encode()
        )
        head = await asyncio.wait_for(made._reader.readuntil(b"\r\n\r\n"), 30)
        assert b" 200 " in head.split(b"\r\n", 1)[0], head
        if not slow:
            made.task = asyncio.create_task(made.read())
        return made

    async def read(self) -> None:
        """As EventSource does: an event counts when its empty line has come."""
        event: dict[str, str] = {}
        try:
            while (line := await self._reader.readline()).endswith(b"\n"):
                name, _, value = line.decode().strip().partition(": ")
                if name:
                    event[name] = value
                    continue
                if "event" in event:
                    self.names.append(event["event"])
                if "id" in event:
                    self.ids.append(int(event["id"]))
                    self.alerts.append(json.loads(event["data"])["alertId"])
                event = {}
        except OSError:
            pass
        self.ended = True

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self._writer.transport.abort()


class Newsroom:
    """Tokens for every guide, and alerts as a service states them."""

    def __init__(self, ground: Field, client: Client, js: Any) -> None:
        self.ground, self.client, self.js = ground, client, js
        self._number = 0

    @cache  # noqa: B019  (lives as long as the tests)
    def token(self, userid: str) -> str:
        claims = {"corp": self.client.corp_id, "sub": userid, "aud": "session", "exp": int(time.time()) + 600}
        return jwt.encode(claims, self.ground.suite.home.keys["session"], "HS256")

    async def alert(self, userid: str, count: int = 1) -> list[str]:
        """States alerts for an employee; their ids."""
        made = []
        for _ in range(count):
            self._number += 1
            message = StaffAlertRaised(
                alert_id=f"S{self._number:08d}", corp_id=self.client.corp_id, userid=userid,
                kind=AlertKind.ALERT_KIND_ORDER_PAID, contact_id=CONTACT, mall_id="yz-main", order_id="E" * 60,
                amount=Money(amount=1, currency="CNY"),
            )  # fmt: skip
            fact = new_fact(
                message, corp_id=self.client.corp_id, source="commerce",
                subject_suffix=staff_suffix(self.client.corp_id, userid),
            )  # fmt: skip
            made.append((message.alert_id, fact))
        await asyncio.gather(*(self.js.publish(fact.subject, fact.payload, headers=fact.headers) for _, fact in made))
        return [alert_id for alert_id, _ in made]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def news(ground: Field) -> AsyncIterator[Newsroom]:
    bus = await nats.connect(ground.suite.home.nats_url(ground.suite.ports))
    async with Client(ground.suite, ground.suite.home.corps[-1]["corp_id"]) as client:
        await sign_in_patiently(client)
        yield Newsroom(ground, client, bus.jetstream())
    await bus.close()


@pytest.mark.timeout(120)
async def test_two_thousand_streams_on_one_gateway(ground: Field, news: Newsroom) -> None:
    """Each gets its own employee's alerts, all of them and no other's."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # our own ends of the streams are files too
    userids = [f"guide_{number % GUIDES:03d}" for number in range(STREAMS)]
    readers: list[Reader] = []
    try:
        for start in range(0, STREAMS, 100):
            opening = [Reader.open(ground, news.token(userid)) for userid in userids[start : start + 100]]
            readers += await asyncio.gather(*opening)
        expected = {f"guide_{number:03d}": await news.alert(f"guide_{number:03d}", 2) for number in range(GUIDES)}
        await until(lambda: all(len(reader.alerts) >= 2 for reader in readers), seconds=60)
        for userid, reader in zip(userids, readers, strict=True):
            assert sorted(reader.alerts) == sorted(expected[userid])
            assert reader.ids == sorted(reader.ids)
            assert not reader.ended
    finally:
        for reader in readers:
            await reader.close()


@pytest.mark.timeout(120)
async def test_a_killed_gateways_streams_go_on_at_another(ground: Field, news: Newsroom) -> None:
    token = news.token("guide_001")
    reader = await Reader.open(ground, token)
    before = await news.alert("guide_001", 5)
    await until(lambda: len(reader.alerts) == 5)
    ground.suite.kill("gateway")
    await until(lambda: reader.ended)
    missed = await news.alert("guide_001", 20)
    await news.alert("guide_002", 5)
    resumed = await Reader.open(ground, token, at=1, last=reader.ids[-1])
    after = await news.alert("guide_001", 5)
    await until(lambda: len(resumed.alerts) >= 25)
    assert sorted(reader.alerts + resumed.alerts) == sorted(before + missed + after)
    assert resumed.ids == sorted(set(resumed.ids))
    assert "reset" not in resumed.names
    await resumed.close()
    await asyncio.to_thread(ground.suite.start, "gateway")


async def test_an_id_that_is_too_old_is_answered_with_a_reset(ground: Field, news: Newsroom) -> None:
    await news.alert("guide_003", 3)
    state = (await news.js.stream_info("STAFF")).state
    await news.js.purge_stream("STAFF", seq=state.last_seq)
    for last in (1, state.last_seq + 1000):  # gone from the stream; and of a stream that was made anew
        reader = await Reader.open(ground, news.token("guide_003"), last=last)
        live = await news.alert("guide_003")
        await until(lambda: bool(reader.alerts))  # noqa: B023
        assert reader.names[0] == "reset"
        assert reader.alerts == live
        await reader.close()


@pytest.mark.timeout(120)
async def test_who_reads_nothing_is_dropped_and_hurts_nobody(ground: Field, news: Newsroom) -> None:
    token = news.token("guide_004")
    sleeper = await Reader.open(ground, token, slow=True)
    others = [await Reader.open(ground, token) for _ in range(3)]
    address = f"{ground.suite.gateway}/metrics"
    sent: list[str] = []

    async def dropped() -> bool:
        sent.extend(await news.alert("guide_004", 100))
        await until(lambda: all(len(reader.alerts) == len(sent) for reader in others))
        async with news.client.session.get(address) as answer:
            text = await answer.text()
        return any(line.startswith("bihuan_streams_dropped_total 1") for line in text.splitlines())

    await until(dropped, seconds=60)
    for reader in others:
        assert sorted(reader.alerts) == sorted(sent)
        assert not reader.ended
        await reader.close()
    await asyncio.wait_for(sleeper.read(), 30)  # what was in the pipe, and then the end
    assert sleeper.ended
    assert len(sleeper.alerts) < len(sent)
    resumed = await Reader.open(ground, token, last=sleeper.ids[-1])
    await until(lambda: len(resumed.alerts) == len(sent) - len(sleeper.alerts), seconds=30)
    await resumed.close()


@pytest.mark.timeout(60)
async def test_no_event_goes_to_somebody_who_has_left(ground: Field, news: Newsroom) -> None:
    reader = await Reader.open(ground, news.token("guide_005"))
    told = await news.alert("guide_005")
    await until(lambda: reader.alerts == told)
    await news.client.sandbox("/sandbox/member", {"corp_id": news.client.corp_id, "userid": "guide_005", "gone": True})

    async def gone() -> bool:
        listed = await news.client.get("/api/v1/staff", pageSize="50")
        return any(one["userid"] == "guide_005" and not one["active"] for one in listed["staff"])

    await until(gone)
    bearer = {"Authorization": f"Bearer {news.token('guide_005')}"}

    async def door_knows() -> bool:
        async with news.client.session.get(f"{ground.suite.gateway}/api/v1/me", headers=bearer) as answer:
            return answer.status == 403

    await until(door_knows)
    await news.alert("guide_005")
    await until(lambda: reader.ended)
    assert reader.alerts == told
