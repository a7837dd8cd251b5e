"""No corp stops another: poisons are counted per durable and corp, and only that corp's facts of that durable wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from nats.js import JetStreamContext

from chassis import dead_letters, parking
from chassis import kept as kept_facts
from chassis.dead_letters.replay import replay_all
from chassis.errors import Precondition
from chassis.facts import Received
from chassis.outbox import Tx
from chassis.parking import POISONS_IN_A_ROW, STORM_POISONS, TIMEOUTS_IN_A_ROW
from tests.conftest import CORP, Room
from tests.integration.feeding import Running, recorder
from tests.waiting import until

Rooms = Callable[[str], Any]
OTHER = "ww00000000000000bb"


async def parked(room: Room) -> list[str]:
    return [str(row["corp_id"]) for row in await room.rows("select corp_id from parked where released_at is null")]


async def nobody_waits(room: Room) -> bool:
    return not await room.rows("select 1 from parked")


async def kept(room: Room) -> list[str]:
    rows = await room.rows("select fact_id from dead_letters where parked order by position")
    return [str(row["fact_id"]) for row in rows]


async def letters(room: Room) -> list[str]:
    return [str(row["fact_id"]) for row in await room.rows("select fact_id from dead_letters where not parked")]


async def release(room: Room, corp_id: str | None = None) -> int:
    async with room.pool.acquire() as connection:
        return await parking.release(connection, corp_id)


async def test_bad_messages_of_one_corp_stop_nobody_else(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """Twelve in a row of a corp that is not even configured: that corp is parked, and every other fact is taken."""
    taken: list[str] = []
    name = "t-one-corp"
    async with rooms("identity") as room, Running(room, jetstream, name, recorder(taken, set())) as running:
        await running.send(range(12), broken=range(12), corp_id="wwnobody")
        await running.send(range(12, 32), corp_id=CORP)
        await running.send(range(32, 40), corp_id="wwnobody")
        await until(lambda: len(taken) == 20)
        await until(running.settled)
        assert taken == [f"{name}-{number}" for number in range(12, 32)]
        assert await parked(room) == ["wwnobody"]
        assert len(await letters(room)) == POISONS_IN_A_ROW
        assert await kept(room) == [f"{name}-{number}" for number in (10, 11, *range(32, 40))]
        assert running.consumer.state == {"running": True, "parkedCorps": 1}


async def test_what_was_kept_is_handled_after_the_release_in_order_of_arrival(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    taken: list[str] = []
    poison = {f"t-release-{number}" for number in range(10)}
    async with rooms("identity") as room, Running(room, jetstream, "t-release", recorder(taken, poison)) as running:
        await running.send(10)
        await until(lambda: parked(room))
        await running.send(range(10, 40), broken=[25])
        await until(running.settled)
        assert not taken
        assert len(await kept(room)) == 30
        assert await release(room, OTHER) == 0
        assert await release(room, CORP) == 1
        await until(lambda: nobody_waits(room))
        assert taken == [f"t-release-{number}" for number in range(10, 40) if number != 25]
        assert await kept(room) == []
        assert sorted(await letters(room)) == sorted(poison | {"t-release-25"})
        await running.send([40])
        await until(lambda: "t-release-40" in taken)


async def test_a_corp_that_is_still_broken_is_parked_again(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []
    everything = {f"t-again-{number}" for number in range(40)}
    async with rooms("identity") as room, Running(room, jetstream, "t-again", recorder(taken, everything)) as running:
        await running.send(40)
        await until(lambda: parked(room))
        await until(running.settled)
        assert await release(room) == 1
        await until(lambda: _count(room, 2 * POISONS_IN_A_ROW))
        await until(lambda: parked(room))
        await until(lambda: running.handled_releases > 0)
        assert sorted(await letters(room) + await kept(room)) == sorted(everything)
        everything.clear()
        assert await release(room) == 1
        async with room.pool.acquire() as connection:
            ended = await replay_all(connection, jetstream, CORP, None, seconds=5)
        assert ended.remaining == 0
        await until(lambda: len(taken) == 40)
        assert len(set(taken)) == 40


async def _count(room: Room, number: int) -> bool:
    return len(await letters(room)) == number


async def test_a_bug_that_hits_every_corp_parks_them_quickly_and_loses_nothing(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    """The first few cost ten failures each; when nothing succeeds at all, one is enough for each of the others."""
    corps, facts = 60, 4
    taken: list[str] = []
    everything = {f"t-storm-{number}" for number in range(corps * facts)}
    async with rooms("identity") as room, Running(room, jetstream, "t-storm", recorder(taken, everything)) as running:
        for number in range(corps * facts):
            await running.send([number], corp_id=f"ww{number % corps:03}")
        await running.send(range(240, 270), corp_id="ww-first")
        everything |= {f"t-storm-{number}" for number in range(240, 270)}
        await until(running.settled, seconds=60)
        assert not taken
        failed = await letters(room)
        assert len(failed) <= STORM_POISONS + corps + 1
        assert sorted(failed + await kept(room)) == sorted(everything)
        everything.clear()
        await release(room)
        async with room.pool.acquire() as connection:
            while await dead_letters.page(connection, None, None, None, 1):
                await replay_all(connection, jetstream, None, None, seconds=5)
        await until(lambda: len(taken) == 270)
        assert len(set(taken)) == 270


async def test_replicas_learn_of_a_park_and_of_a_release(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []
    poison = {f"t-two-{number}" for number in range(30)}
    handle = recorder(taken, poison)
    async with rooms("identity") as room, Running(room, jetstream, "t-two", handle) as one:
        other = Running(room, jetstream, "t-two", handle)
        await other.start()
        try:
            await one.send(30)
            await until(lambda: one.consumer.state["parkedCorps"] and other.consumer.state["parkedCorps"])
            await until(one.settled)
            poison.clear()
            await release(room)
            await until(lambda: not one.consumer.state["parkedCorps"] and not other.consumer.state["parkedCorps"])
            await until(lambda: nobody_waits(room))
            assert sorted(taken + await letters(room)) == sorted(f"t-two-{number}" for number in range(30))
        finally:
            await other.stop()


async def test_a_restarted_replica_knows_who_is_parked(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []
    async with rooms("identity") as room, Running(room, jetstream, "t-knows", recorder(taken, set())) as running:
        async with room.pool.acquire() as connection:
            assert await parking.park(connection, CORP, "t-knows", reason="X", detail="")
            assert not await parking.park(connection, CORP, "t-knows", reason="X", detail="")
        await until(lambda: running.consumer.state["parkedCorps"])
        await running.send(3)
        await running.send([3], corp_id=OTHER)
        await until(lambda: taken == ["t-knows-3"])
        await until(running.settled)
        assert len(await kept(room)) == 3


async def test_poisons_without_headers_are_kept_each(rooms: Rooms, jetstream: JetStreamContext) -> None:
    async with rooms("identity") as room, Running(room, jetstream, "t-bare", recorder([], set())) as running:
        for number in range(3):
            await jetstream.publish("evt.bihuan.wecom.v1.ContactAdded", b"%d" % number)
        await until(running.settled)
        rows = await room.rows("select payload from dead_letters order by 1")
        assert [row["payload"] for row in rows] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("most", [5, 1])
async def test_work_too_big_for_its_bound_is_halved(rooms: Rooms, jetstream: JetStreamContext, most: int) -> None:
    """Batches of more than `most` facts never end in time."""
    taken: list[str] = []
    name = f"t-big-{most}"

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        await tx.connection.execute("set local statement_timeout = '200ms'")
        if len(facts) > most:
            await tx.connection.execute("select pg_sleep(2)")
        taken.extend(fact.id for fact in facts)

    async with rooms("identity") as room, Running(room, jetstream, name, handle, batch=8) as running:
        await running.send(8)
        await until(lambda: len(taken) == 8, seconds=60)
        assert sorted(taken) == [f"{name}-{number}" for number in range(8)]
        assert await letters(room) == []


async def test_one_fact_that_never_ends_in_time_is_a_dead_letter(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        await tx.connection.execute("set local statement_timeout = '200ms'")
        if any(fact.id == "t-endless-3" for fact in facts):
            await tx.connection.execute("select pg_sleep(2)")
        taken.extend(fact.id for fact in facts)

    async with rooms("identity") as room, Running(room, jetstream, "t-endless", handle) as running:
        await running.send(6)
        await until(running.settled, seconds=60)
        assert len(taken) == 5
        assert await room.rows("select fact_id, reason from dead_letters") == [
            {"fact_id": "t-endless-3", "reason": "TIMED_OUT"}
        ]


async def test_a_corp_whose_facts_never_end_in_time_is_parked_while_others_go_on(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    taken: list[str] = []

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        await tx.connection.execute("set local statement_timeout = '100ms'")
        if any(fact.corp_id == OTHER for fact in facts):
            await tx.connection.execute("select pg_sleep(2)")
        taken.extend(fact.id for fact in facts)

    async with rooms("identity") as room, Running(room, jetstream, "t-slow", handle) as running:
        await running.send(range(20), corp_id=OTHER)
        await running.send(range(20, 40), corp_id=CORP)
        await until(lambda: len(taken) == 20, seconds=30)
        await until(lambda: parked(room), seconds=60)
        await until(running.settled, seconds=30)
        failed = await letters(room)
        assert TIMEOUTS_IN_A_ROW <= len(failed) < 20
        assert sorted(failed + await kept(room)) == sorted(f"t-slow-{number}" for number in range(20))
        assert sorted(taken) == [f"t-slow-{number}" for number in range(20, 40)]


async def test_slow_facts_of_the_only_corp_that_works_park_nobody(rooms: Rooms, jetstream: JetStreamContext) -> None:
    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        await tx.connection.execute("set local statement_timeout = '50ms'")
        await tx.connection.execute("select pg_sleep(2)")

    async with rooms("identity") as room, Running(room, jetstream, "t-crawl", handle) as running:
        await running.send(2 * TIMEOUTS_IN_A_ROW)
        await until(running.settled, seconds=60)
        assert len(await letters(room)) == 2 * TIMEOUTS_IN_A_ROW
        assert await parked(room) == []


async def test_a_lock_time_out_is_an_outage(rooms: Rooms, jetstream: JetStreamContext) -> None:
    taken: list[str] = []
    failures = iter(range(4))

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        if next(failures, None) is not None:
            await tx.connection.execute("set local lock_timeout = '50ms'; lock table inbox in access exclusive mode")
        taken.extend(fact.id for fact in facts)

    async with rooms("identity") as room:
        async with room.pool.acquire() as holder, Running(room, jetstream, "t-lock", handle) as running:
            held = holder.transaction()
            await held.start()
            await holder.execute("lock table inbox in access share mode")
            await running.send(5)
            await until(lambda: len(set(taken)) == 5, seconds=30)
            await held.rollback()
        assert await letters(room) == []


async def test_a_replica_that_is_stopped_leaves_what_was_kept_to_the_next_at_once(
    rooms: Rooms, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fix is deployed, the corp is released, and the replicas are restarted one after the other."""
    monkeypatch.setattr(kept_facts, "PAGE", 2)
    taken: list[str] = []
    async with rooms("identity") as room:

        async def take_and_stop(tx: Tx, facts: Sequence[Received]) -> None:
            taken.extend(fact.id for fact in facts)
            await one.consumer.stop()

        poison = {f"t-stopped-{number}" for number in range(10)}
        async with Running(room, jetstream, "t-stopped", recorder([], poison)) as running:
            await running.send(10)
            await until(lambda: parked(room))
            await running.send(range(10, 16))
            await until(running.settled)
        assert len(await kept(room)) == 6
        assert await release(room) == 1
        one = Running(room, jetstream, "t-stopped", take_and_stop)
        two = Running(room, jetstream, "t-stopped", recorder(taken, set()))
        for replica in (one, two):
            await replica.parking.refresh()
            await replica.consumer.handle_released()
        assert taken == [f"t-stopped-{number}" for number in range(10, 16)]
        assert await nobody_waits(room)


async def test_what_is_kept_is_given_up_and_the_handler_goes_on(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """Facts that can never be handled do not have to fail ten at a time before newer ones are taken."""
    taken: list[str] = []
    poison = {f"t-never-{number}" for number in range(30)}
    async with rooms("identity") as room, Running(room, jetstream, "t-never", recorder(taken, poison)) as running:
        await running.send(30)
        await until(lambda: parked(room))
        await until(running.settled)
        assert len(await kept(room)) == 30 - POISONS_IN_A_ROW
        async with room.pool.acquire() as connection:
            with pytest.raises(Precondition):
                await parking.give_up(connection, OTHER, "t-never", 100)
            assert await parking.give_up(connection, CORP, "t-never", 15) == (15, 5)
            assert await parking.give_up(connection, CORP, "t-never", 15) == (5, 0)
            assert (await parking.page(connection, CORP))[0]["kept"] == 0
            ended = await dead_letters.get(connection, CORP, "t-never", "t-never-29")
        assert ended is not None
        assert ended["outcome"] == "GIVEN_UP"
        assert await parked(room) == [CORP]
        await running.send([30])
        await until(running.settled)
        assert await release(room, CORP) == 1
        await until(lambda: taken == ["t-never-30"])
        await until(lambda: nobody_waits(room))
        async with room.pool.acquire() as connection:
            with pytest.raises(Precondition):
                await parking.give_up(connection, CORP, "t-never", 15)
