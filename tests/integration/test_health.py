"""What a service tells of itself: durables, dead letters, sources and quotas, each corp its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from bihuan.operations.v1 import health_service_pb2 as pb
from nats.js import JetStreamContext

from acquisition.consumers import DURABLES
from chassis import bus, dead_letters
from chassis.consumer import Consumer
from chassis.health_servicer import HealthServicer
from chassis.kernel import caller
from chassis.last_seen import LastSeen
from chassis.wecom.budget import Budget
from tests.conftest import CORP, Servers
from tests.waiting import until

Rooms = Callable[..., Any]


async def test_a_source_is_noted_once_in_a_while(jetstream: JetStreamContext) -> None:
    ours, theirs = f"ww{uuid4().hex[:8]}", f"ww{uuid4().hex[:8]}"
    seen = LastSeen(jetstream)
    began = datetime.now(UTC)
    seen.note(ours, "mall.one")

    async def noted() -> bool:
        return (await seen.of(ours, ["mall.one"]))["mall.one"] is not None

    await until(noted)
    first = (await seen.of(ours, ["mall.one", "mall.two"]))["mall.one"]
    assert first is not None
    assert began - timedelta(seconds=1) <= first <= datetime.now(UTC)
    seen.note(ours, "mall.one")
    seen.note(ours, "mall.two")
    await until(lambda: _is_there(seen, ours, "mall.two"))
    assert await seen.of(ours, ["mall.one"]) == {"mall.one": first}
    assert await seen.of(theirs, ["mall.one"]) == {"mall.one": None}


async def _is_there(seen: LastSeen, corp_id: str, source: str) -> bool:
    return (await seen.of(corp_id, [source]))[source] is not None


async def test_a_corp_is_told_of_its_own_part(rooms: Rooms, jetstream: JetStreamContext) -> None:
    corp_id = f"ww{uuid4().hex[:8]}"
    async with rooms("acquisition") as room:
        consumers = [Consumer(one, jetstream, room.outbox, replicas=1, after=lambda: None) for one in DURABLES]
        for consumer in consumers:
            await consumer.declare()
        running = asyncio.create_task(consumers[0].run())
        async with room.pool.acquire() as connection:
            for of_corp, letters in ((corp_id, 2), (CORP, 3)):
                for number in range(letters):
                    headers = {"corp-id": of_corp, "ce-id": f"f{number}"}
                    await dead_letters.add(
                        connection, DURABLES[0].name, "evt.x", headers, b"", reason="WRONG", detail="d"
                    )
        budget = Budget(jetstream, corp_id)
        assert await budget.take("externalcontact/get")
        await budget.close("message/send")
        LastSeen(jetstream).note(corp_id, "callback.7")
        servicer = HealthServicer(
            room.pool, jetstream, consumers, pb, sources=lambda corp: ("callback.7", "callback.8"), quotas=True
        )
        caller.enter({"bihuan-corp": corp_id, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})

        async def health() -> pb.GetHealthResponse:
            answer: pb.GetHealthResponse = await servicer.GetHealth(pb.GetHealthRequest(), None)
            return answer

        async def is_told() -> bool:
            told = await health()
            return not told.durables[0].broken and told.sources[0].HasField("last_seen_at")

        await until(is_told)
        told = await health()
        assert [one.durable for one in told.durables] == [one.name for one in DURABLES]
        assert [one.broken for one in told.durables] == [False, *[True] * (len(DURABLES) - 1)]
        assert (told.open_dead_letters, told.parked_facts) == (2, 0)
        assert not told.sources[1].HasField("last_seen_at")
        taken, closed = told.quotas
        assert (taken.api, taken.limit, taken.HasField("closed_until")) == ("externalcontact/get", 10_000, False)
        assert closed.api == "message/send"
        assert closed.closed_until.ToDatetime(UTC).timestamp() > time.time()
        await consumers[0].stop()
        await running


async def test_without_nats_it_tells_what_it_knows(rooms: Rooms, servers: Servers) -> None:
    """Nobody needs this page more than whoever looks for what is away."""
    corp_id = f"ww{uuid4().hex[:8]}"
    connection = await bus.connect(servers.nats_url, "tests")
    async with rooms("acquisition") as room:
        js = connection.jetstream()
        consumers = [Consumer(one, js, room.outbox, replicas=1, after=lambda: None) for one in DURABLES]
        async with room.pool.acquire() as database:
            headers = {"corp-id": corp_id, "ce-id": "f1"}
            await dead_letters.add(database, DURABLES[0].name, "evt.x", headers, b"", reason="WRONG", detail="d")
        servicer = HealthServicer(room.pool, js, consumers, pb, sources=lambda corp: ("callback.7",), quotas=True)
        caller.enter({"bihuan-corp": corp_id, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})
        assert not (await servicer.GetHealth(pb.GetHealthRequest(), None)).bus_away
        await connection.close()
        told = await servicer.GetHealth(pb.GetHealthRequest(), None)
    assert told.bus_away
    assert told.open_dead_letters == 1
    assert [(one.source, one.HasField("last_seen_at")) for one in told.sources] == [("callback.7", False)]
    assert all(one.broken for one in told.durables)
