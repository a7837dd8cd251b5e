"""A fact that only another release reads waits for that release: it is neither lost nor a dead letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bihuan.wecom.v1.facts_pb2 import ContactAdded, ContactEdited
from google.protobuf.message import Message
from nats.js import JetStreamContext

from chassis import bus, consumer
from chassis.consumer import Consumer, Durable
from chassis.facts import Received, new_fact, type_of
from chassis.moments import stamp
from chassis.outbox import Tx
from tests import facts as f
from tests.conftest import CORP, Room
from tests.waiting import counted, until

Rooms = Callable[[str], Any]
NAME = "t-unknown-types"


def release(room: Room, js: JetStreamContext, taken: list[str], *types: Any) -> Consumer:
    """A release's consumer of one durable, which knows these types."""

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        taken.extend(fact.id for fact in facts)

    durable = Durable(NAME, "EDGE", types, handle, batch=16)
    return Consumer(durable, js, room.outbox, replicas=1, after=lambda: None)


@asynccontextmanager
async def running(one: Consumer) -> AsyncIterator[None]:
    task = asyncio.create_task(one.run())
    try:
        yield
    finally:
        await one.stop()
        await asyncio.wait([task], timeout=10)


def given_back(durable: str, message: type[Message]) -> float:
    """How often facts of this type came to somebody who left them to another release."""
    return counted("bihuan_facts_of_unknown_type_total", durable=durable, type=type_of(message))


async def say(js: JetStreamContext, count: int) -> None:
    """As many edits as adds, in turns."""
    for number in range(count):
        added = f.added(number, "anna", number)
        edited = ContactEdited(corp_id=CORP, userid="anna", contact=added.contact, at=stamp(f.at(number)))
        for kind, message in (("edit", edited), ("add", added)):
            fact = new_fact(message, corp_id=CORP, source="tests", fact_id=f"{kind}-{number}")
            await bus.publish(js, fact, timeout=5)


async def test_a_type_from_next_years_release_waits_for_it(
    rooms: Rooms, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(consumer, "UNKNOWN_TYPE_SECONDS", 0.1)
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        before = given_back(NAME, ContactEdited)
        old_took: list[str] = []
        new_took: list[str] = []
        newer = release(room, jetstream, new_took, ContactAdded, ContactEdited)
        await newer.declare()
        older = release(room, jetstream, old_took, ContactAdded)
        async with running(older):
            await say(jetstream, 12)
            await until(lambda: len(old_took) == 12)
            await until(lambda: given_back(NAME, ContactEdited) >= before + 3 * 12)
            assert older.state["running"]
            assert await room.rows("select * from dead_letters") == []
            assert capsys.readouterr().out.count("fact_of_unknown_type") == 1, "named once a minute, not at each turn"
            async with running(newer):
                await until(lambda: len(new_took) == 12)
        assert sorted(old_took + new_took) == sorted(f"{kind}-{n}" for kind in ("add", "edit") for n in range(12))
        info = await jetstream.consumer_info("EDGE", NAME)
        assert (info.num_pending, info.num_ack_pending) == (0, 0)
    await jetstream.delete_consumer("EDGE", NAME)


async def test_a_type_cannot_be_added_to_a_durable_that_has_run(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """The server would pass over the facts of that type that it has seen; and an older release takes none away."""
    async with rooms("identity") as room:
        await release(room, jetstream, [], ContactAdded).declare()
        with pytest.raises(ValueError, match="durable of its own"):
            await release(room, jetstream, [], ContactAdded, ContactEdited).declare()
        assert len((await jetstream.consumer_info("EDGE", NAME)).config.filter_subjects or []) == 1
        await jetstream.delete_consumer("EDGE", NAME)
        await release(room, jetstream, [], ContactAdded, ContactEdited).declare()
        await release(room, jetstream, [], ContactAdded).declare()
        assert len((await jetstream.consumer_info("EDGE", NAME)).config.filter_subjects or []) == 2
    await jetstream.delete_consumer("EDGE", NAME)


async def test_a_fact_under_a_subject_of_another_type_is_broken(rooms: Rooms, jetstream: JetStreamContext) -> None:
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        taken: list[str] = []
        async with running(release(room, jetstream, taken, ContactAdded)):
            fact = new_fact(f.added(1, "anna", 1), corp_id=CORP, source="tests", fact_id="astray")
            fact.headers["ce-type"] = "bihuan.wecom.v1.ContactEdited"
            await bus.publish(jetstream, fact, timeout=5)
            letters = await until(lambda: room.rows("select fact_id, reason from dead_letters"))
        assert letters == [{"fact_id": "astray", "reason": "FACT_TYPE_ASTRAY"}]
        assert taken == []
    await jetstream.delete_consumer("EDGE", NAME)
