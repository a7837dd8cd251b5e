"""With a backlog two batches of a durable are at work at once; without one, or beside a parked corp, never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

from nats.js import JetStreamContext

from chassis.errors import Invalid
from chassis.facts import Received
from chassis.outbox import Tx
from tests.integration.feeding import Running
from tests.integration.test_parking import kept, parked, release
from tests.waiting import until

Rooms = Callable[[str], Any]
BATCH = 8


class Watched:
    """A handler that counts how many of its batches are at work; they wait for `go`."""

    def __init__(self, poison: Collection[str] = ()) -> None:
        self.taken: list[str] = []
        self.at_work = 0
        self.most_at_work = 0
        self.go = asyncio.Event()
        self._poison = poison

    async def __call__(self, tx: Tx, facts: Sequence[Received]) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await self.go.wait()
            await tx.connection.execute("select 1")
            if bad := [fact.id for fact in facts if fact.id in self._poison]:
                raise Invalid("POISON", f"{bad[0]} cannot be")
            self.taken += [fact.id for fact in facts]
        finally:
            self.at_work -= 1


async def fed(running: Running, count: int) -> None:
    """Sends while nobody takes anything, so that a backlog waits for the start."""
    await running.stop()
    await running.send(count)
    await running.start()


async def test_a_full_batch_does_not_wait_for_the_one_before(rooms: Rooms, jetstream: JetStreamContext) -> None:
    handle = Watched({"t-overlap-3", "t-overlap-20"})
    async with rooms("identity") as room, Running(room, jetstream, "t-overlap", handle, batch=BATCH) as running:
        await fed(running, 5 * BATCH)
        await until(lambda: handle.at_work == 2)
        handle.go.set()
        await until(running.settled)
        assert sorted(handle.taken) == sorted(f"t-overlap-{n}" for n in range(5 * BATCH) if n not in (3, 20))
        letters = await room.rows("select fact_id from dead_letters order by fact_id")
        assert [row["fact_id"] for row in letters] == ["t-overlap-20", "t-overlap-3"]
        assert handle.most_at_work == 2


async def test_what_both_hold_when_it_stops_is_taken_once(rooms: Rooms, jetstream: JetStreamContext) -> None:
    handle = Watched()
    async with rooms("identity") as room, Running(room, jetstream, "t-halt", handle, batch=BATCH) as running:
        await fed(running, 4 * BATCH)
        await until(lambda: handle.at_work == 2)
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0.1)
        assert not stopping.done(), "it finishes what it has begun"
        handle.go.set()
        await stopping
        assert len(handle.taken) == 2 * BATCH
        await running.start()
        await until(running.settled)
        assert sorted(handle.taken) == sorted(f"t-halt-{n}" for n in range(4 * BATCH))


async def test_beside_a_parked_corp_one_batch_waits_for_the_other(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """So what is kept stays in its order of arrival."""
    poison = {f"t-order-{number}" for number in range(10)}
    handle = Watched(poison)
    handle.go.set()
    async with rooms("identity") as room, Running(room, jetstream, "t-order", handle, batch=BATCH) as running:
        await running.send(10)
        await until(lambda: parked(room))
        await running.send(range(10, 10 + 6 * BATCH))
        await until(running.settled)
        assert await kept(room) == [f"t-order-{number}" for number in range(10, 10 + 6 * BATCH)]
        poison.clear()
        await release(room)
        await until(lambda: len(handle.taken) == 6 * BATCH)
        assert handle.taken == [f"t-order-{number}" for number in range(10, 10 + 6 * BATCH)]
