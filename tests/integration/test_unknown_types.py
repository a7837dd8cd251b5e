"""A fact that only another release reads waits for that release: it is neither lost nor a dead letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bihuan.wecom.v1.facts_pb2 import ContactAdded, ContactEdited
from nats.js import JetStreamContext

from chassis import dead_letters, later_facts, parking, publishing
from chassis.consumer import Consumer, Durable
from chassis.facts import Received, new_fact
from chassis.moments import stamp
from chassis.outbox import Tx
from tests import facts as f
from tests.conftest import CORP, Room
from tests.waiting import until

Rooms = Callable[[str], Any]
NAME = "t-unknown-types"


def release(room: Room, js: JetStreamContext, taken: list[str], *types: Any) -> Consumer:
    """A release's consumer of one durable, which knows these types. No more than 32 facts may wait for their ack."""

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        taken.extend(fact.id for fact in facts)

    durable = Durable(NAME, "EDGE", types, handle, batch=16)
    return Consumer(durable, js, room.outbox, replicas=1, after=lambda: None)


@asynccontextmanager
async def running(one: Consumer) -> AsyncIterator[None]:
    """Looks ten times a second for what was set aside; a service does each second."""

    async def look() -> None:
        while True:
            await one.handle_later()
            await asyncio.sleep(0.1)

    task, looking = asyncio.create_task(one.run()), asyncio.create_task(look())
    try:
        yield
    finally:
        await one.stop()
        looking.cancel()
        await asyncio.wait([task], timeout=10)


async def say(js: JetStreamContext, numbers: range) -> None:
    """An edit and an add of each number, in turns. JetStream knows each number once."""
    for number in numbers:
        added = f.added(number, "anna", number)
        edited = ContactEdited(corp_id=CORP, userid="anna", contact=added.contact, at=stamp(f.at(number)))
        for kind, message in (("edit", edited), ("add", added)):
            fact = new_fact(message, corp_id=CORP, source="tests", fact_id=f"{kind}-{number}")
            await publishing.publish(js, fact, timeout=5)


async def acked(js: JetStreamContext) -> bool:
    info = await js.consumer_info("EDGE", NAME)
    return (info.num_pending, info.num_ack_pending) == (0, 0)


async def set_aside(room: Room) -> int:
    return len(await room.rows("select 1 from later_facts"))


async def nothing_set_aside(room: Room) -> bool:
    return await set_aside(room) == 0


async def test_a_type_from_next_years_release_waits_for_it(
    rooms: Rooms, jetstream: JetStreamContext, capsys: pytest.CaptureFixture[str]
) -> None:
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        old_took: list[str] = []
        new_took: list[str] = []
        newer = release(room, jetstream, new_took, ContactAdded, ContactEdited)
        await newer.declare()
        older = release(room, jetstream, old_took, ContactAdded)
        async with running(older):
            await say(jetstream, range(12))
            await until(lambda: len(old_took) == 12)
            await until(lambda: acked(jetstream))
            assert older.state["running"]
            assert await room.rows("select * from dead_letters") == []
            assert await set_aside(room) == 12
            assert capsys.readouterr().out.count("fact_of_unknown_type") == 1, "named once a minute, not at each turn"
            async with running(newer):
                await until(lambda: len(new_took) == 12)
                await until(lambda: nothing_set_aside(room))
        assert sorted(old_took + new_took) == sorted(f"{kind}-{n}" for kind in ("add", "edit") for n in range(12))
    await jetstream.delete_consumer("EDGE", NAME)


async def test_any_number_of_them_keeps_no_known_type_waiting(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """More than may wait for their ack; and a newer replica beside the older one takes what that one sets aside."""
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        old_took: list[str] = []
        new_took: list[str] = []
        newer = release(room, jetstream, new_took, ContactAdded, ContactEdited)
        await newer.declare()
        async with running(release(room, jetstream, old_took, ContactAdded)):
            await say(jetstream, range(100, 160))
            await until(lambda: len(old_took) == 60)
            async with running(newer):
                await say(jetstream, range(160, 200))
                names = {f"{kind}-{n}" for kind in ("add", "edit") for n in range(100, 200)}
                await until(lambda: set(old_took + new_took) == names)
                await until(lambda: acked(jetstream))
                await until(lambda: nothing_set_aside(room))
        assert len(old_took + new_took) == 200, "each once"
    await jetstream.delete_consumer("EDGE", NAME)


async def test_what_was_set_aside_can_be_a_poison_too(rooms: Rooms, jetstream: JetStreamContext) -> None:
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        await release(room, jetstream, [], ContactAdded, ContactEdited).declare()
        async with running(release(room, jetstream, [], ContactAdded)):
            fact = new_fact(
                ContactEdited(corp_id=CORP, userid="anna"), corp_id=CORP, source="tests", fact_id="not-to-be-read"
            )
            await publishing.publish(jetstream, fact._replace(payload=b"\xff"), timeout=5)
            await until(lambda: room.rows("select 1 from later_facts"))
        async with running(release(room, jetstream, [], ContactAdded, ContactEdited)):
            letters = await until(lambda: room.rows("select fact_id, reason from dead_letters"))
            await until(lambda: nothing_set_aside(room))
        assert letters == [{"fact_id": "not-to-be-read", "reason": "FACT_UNDECODABLE"}]
    await jetstream.delete_consumer("EDGE", NAME)


async def test_it_stays_on_the_server_where_it_cannot_be_set_aside(
    rooms: Rooms, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later_facts, "AGAIN_SECONDS", 0.2)
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        await release(room, jetstream, [], ContactAdded, ContactEdited).declare()
        taken: list[str] = []
        await room.pool.execute("alter table later_facts rename to elsewhere")
        older = release(room, jetstream, taken, ContactAdded)
        task = asyncio.create_task(older.run())
        await say(jetstream, range(200, 202))
        await until(lambda: len(taken) == 2)
        assert not await acked(jetstream)
        await room.pool.execute("alter table elsewhere rename to later_facts")
        await until(lambda: acked(jetstream))
        assert await set_aside(room) == 2
        await older.stop()
        await asyncio.wait([task], timeout=10)
    await jetstream.delete_consumer("EDGE", NAME)


async def test_a_released_corps_kept_facts_are_set_aside_as_well(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """Kept by a release that parked the corp before it looked what it had; the release must come to its end."""
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        one = release(room, jetstream, [], ContactAdded)
        edited = new_fact(ContactEdited(corp_id=CORP, userid="anna"), corp_id=CORP, source="tests", fact_id="kept-edit")
        async with room.pool.acquire() as connection:
            await parking.park(connection, CORP, NAME, reason="X", detail="")
            await dead_letters.add(
                connection, NAME, edited.subject, edited.headers, edited.payload, reason="PARKED", detail=""
            )
            await connection.execute("update dead_letters set parked = true")
            await parking.release(connection, CORP)
        await one._parking.refresh()
        await one.handle_released()
        assert await room.rows("select 1 from parked") == []
        assert await room.rows("select 1 from dead_letters") == []
        assert await set_aside(room) == 1


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
            await publishing.publish(jetstream, fact, timeout=5)
            letters = await until(lambda: room.rows("select fact_id, reason from dead_letters"))
        assert letters == [{"fact_id": "astray", "reason": "FACT_TYPE_ASTRAY"}]
        assert taken == []
    await jetstream.delete_consumer("EDGE", NAME)
