"""What is poison and what is an outage: the one is dead-lettered alone and replayed, the other keeps all waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from bihuan.wecom.v1.facts_pb2 import ContactAdded
from nats.js import JetStreamContext

from chassis import dead_letters
from chassis.consumer import Consumer, Durable
from chassis.dead_letters.replay import replay
from chassis.errors import Invalid
from chassis.facts import Received
from chassis.outbox import Tx
from chassis.pool import is_transient
from tests.conftest import CORP
from tests.integration.feeding import Running, recorder
from tests.waiting import until

Rooms = Callable[[str], Any]


async def test_poison_alone_is_dead_lettered_and_replayed(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []
    poison = {"t-poison-7"}
    async with rooms("identity") as room, Running(room, jetstream, "t-poison", recorder(taken, poison)) as running:
        await running.send(20, broken=[11])
        await until(lambda: len(taken) == 18)
        kept = await until(lambda: room.rows("select fact_id, reason from dead_letters order by 1"))
        await until(running.settled)
        kept = await room.rows("select fact_id, reason from dead_letters order by 1")
        assert kept == [
            {"fact_id": "t-poison-11", "reason": "FACT_UNDECODABLE"},
            {"fact_id": "t-poison-7", "reason": "POISON"},
        ]
        poison.clear()
        async with room.pool.acquire() as connection:
            rows = await dead_letters.page(connection, CORP, "t-poison", None, 10)
            assert await replay(connection, jetstream, rows) == 2
        await until(lambda: "t-poison-7" in taken)
        assert len(taken) == len(set(taken)) == 19


async def test_a_replay_reaches_only_the_durable_that_could_not_take_it(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    """Also when the others' inboxes have forgotten it, or never knew it."""
    taken: list[str] = []
    others: list[str] = []
    poison = {"t-letter-1"}
    async with rooms("identity") as room, Running(room, jetstream, "t-letter", recorder(taken, poison)) as running:
        other = Consumer(
            Durable("t-other", "EDGE", (ContactAdded,), recorder(others, set()), idempotent=True),
            jetstream,
            room.outbox,
            replicas=1,
            after=lambda: None,
        )
        task = asyncio.create_task(other.run())
        await running.send(3)
        await until(lambda: len(taken) == 2 and len(others) == 3)
        await until(lambda: room.rows("select * from dead_letters"))
        poison.clear()
        async with room.pool.acquire() as connection:
            rows = await dead_letters.page(connection, CORP, "t-letter", None, 10)
            assert await replay(connection, jetstream, rows) == 1
        await until(lambda: len(taken) == 3)
        await until(running.settled)
        assert len(others) == 3
        await other.stop()
        await task
    await jetstream.delete_consumer("EDGE", "t-other")


async def test_an_outage_keeps_the_batch(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []
    failures = iter(range(3))

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        if next(failures, None) is not None:
            await tx.connection.execute("select pg_terminate_backend(pg_backend_pid())")
        taken.extend(fact.id for fact in facts)

    async with rooms("identity") as room, Running(room, jetstream, "t-outage", handle) as running:
        await running.send(10)
        await until(lambda: len(set(taken)) == 10)
        assert await room.rows("select * from dead_letters") == []


async def test_poison_in_the_middle_of_a_full_batch_costs_nobody_else(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    """It alone is dead-lettered; all others take effect in the same delivery: nothing comes a second time."""
    taken: list[str] = []

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        # What PostgreSQL itself says of a value that is none.
        ids = ["" if fact.id == "t-middle-31" else "00000000-0000-7000-8000-000000000000" for fact in facts]
        await tx.connection.fetch("select unnest($1::uuid[])", ids)
        taken.extend(fact.id for fact in facts)

    async with rooms("identity") as room, Running(room, jetstream, "t-middle", handle) as running:
        await running.send(64)
        await until(lambda: len(taken) == 63)
        kept = await until(lambda: room.rows("select fact_id from dead_letters"))
        assert kept == [{"fact_id": "t-middle-31"}]
        await until(running.settled)
        info = await jetstream.consumer_info("EDGE", "t-middle")
        assert info.num_redelivered == 0
        assert info.delivered.consumer_seq == 64
        assert len(taken) == len(set(taken))
        assert await running.parking.refresh() == 0
        assert running.consumer.state == {"running": True, "parkedCorps": 0}


async def test_a_replay_that_is_asked_for_twice_at_once_is_one(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []
    poison = {"t-twice-0"}
    async with rooms("identity") as room, Running(room, jetstream, "t-twice", recorder(taken, poison)) as running:
        await running.send(1)
        await until(lambda: room.rows("select 1 from dead_letters"))
        poison.clear()
        async with room.pool.acquire() as one, room.pool.acquire() as other:
            rows = await dead_letters.page(one, CORP, None, None, 10)
            replayed = await asyncio.gather(replay(one, jetstream, rows), replay(other, jetstream, rows))
        assert sorted(replayed) == [0, 1]
        await until(lambda: taken == ["t-twice-0"])
        await until(running.settled)
        assert taken == ["t-twice-0"]
        # Dead-lettered again and replayed again, inside the window in which JetStream knows message ids.
        poison.add("t-twice-0")
        await room.pool.execute("update dead_letters set replayed_at = null")
        async with room.pool.acquire() as one:
            await replay(one, jetstream, await dead_letters.page(one, CORP, None, None, 10))
            await until(lambda: room.rows("select 1 from dead_letters where replayed_at is null"))
            poison.clear()
            await replay(one, jetstream, await dead_letters.page(one, CORP, None, None, 10))
        await until(lambda: len(taken) == 2)


def test_what_is_an_outage_and_what_is_not() -> None:
    assert is_transient(ConnectionResetError())
    assert is_transient(asyncpg.DeadlockDetectedError())
    assert is_transient(asyncpg.exceptions.InterfaceError("connection is closed"))
    assert is_transient(asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"))
    assert not is_transient(asyncpg.UniqueViolationError())
    assert not is_transient(asyncpg.DataError())
    assert not is_transient(asyncpg.ProtocolViolationError())
    assert not is_transient(Invalid("X"))
