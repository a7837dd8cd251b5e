"""Work runs out of time because PostgreSQL is slow for everybody: an outage, in which nobody is at fault."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bihuan.wecom.v1.facts_pb2 import ContactAdded
from nats.js import JetStreamContext

from chassis import batches, store_probe
from chassis.consumer import Consumer, Durable
from chassis.facts import Received
from chassis.outbox import Tx
from chassis.parking import Parking
from chassis.store_probe import StoreProbe
from tests.conftest import CORP, Room
from tests.integration.feeding import Running
from tests.integration.test_parking import letters, parked
from tests.integration.test_work_queue import Marks
from tests.waiting import until

Rooms = Callable[[str], Any]
OTHER = "ww00000000000000bb"


class Crawling:
    """A handler that takes facts, but for those of `slow` corps, on whom it never ends in time."""

    def __init__(self, *slow: str) -> None:
        self.slow = set(slow)
        self.taken: list[str] = []
        self.tries = 0

    async def handle(self, tx: Tx, facts: Sequence[Received]) -> None:
        if any(fact.corp_id in self.slow for fact in facts):
            self.tries += 1
            await tx.connection.execute("set local statement_timeout = '50ms'")
            await tx.connection.execute("select pg_sleep(2)")
        self.taken.extend(fact.id for fact in facts)


@asynccontextmanager
async def stalled(room: Room) -> AsyncIterator[None]:
    """No row can be written to the inbox meanwhile, and nothing else says why."""
    async with room.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local idle_in_transaction_session_timeout = 0")
        await connection.execute("set local transaction_timeout = 0")
        await connection.execute("lock table inbox in share mode")
        yield


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(store_probe, "SLOW_SECONDS", 0.3)


def use(running: Running, js: JetStreamContext, crawling: Crawling) -> None:
    """Its inbox would wait for the lock itself; an idempotent handler runs into its own bound."""
    durable = Durable(running.name, "EDGE", (ContactAdded,), crawling.handle, batch=64, idempotent=True)
    running.consumer = Consumer(
        durable, js, running.room.outbox, replicas=1, after=lambda: None, parking=running.parking
    )


@pytest.mark.parametrize("facts", [1, 7])
async def test_no_fact_is_at_fault_while_the_store_is_slow(
    rooms: Rooms, jetstream: JetStreamContext, facts: int
) -> None:
    crawling = Crawling(CORP)
    async with rooms("identity") as room:
        running = Running(room, jetstream, f"t-stall-{facts}", crawling.handle)
        use(running, jetstream, crawling)
        async with running:
            async with stalled(room):
                await running.send(facts)
                await until(lambda: crawling.tries > 3 * batches.MOST_TIMEOUTS_ALONE)
                assert await letters(room) == []
            crawling.slow.clear()
            await until(lambda: len(crawling.taken) == facts)
            await until(running.settled)
            assert await letters(room) == [] == await parked(room)


async def test_no_fact_is_at_fault_while_every_corp_is_slow(rooms: Rooms, jetstream: JetStreamContext) -> None:
    crawling = Crawling(CORP, OTHER)
    async with rooms("identity") as room, Running(room, jetstream, "t-all-slow", crawling.handle) as running:
        await running.send([0], corp_id=CORP)
        await running.send([1], corp_id=OTHER)
        await until(lambda: crawling.tries > 6 * batches.MOST_TIMEOUTS_ALONE)
        assert await letters(room) == []
        crawling.slow.clear()
        await until(lambda: sorted(crawling.taken) == ["t-all-slow-0", "t-all-slow-1"])
        await until(running.settled)
        assert await letters(room) == []


async def test_two_slow_corps_keep_the_others_waiting_for_a_while_only(
    rooms: Rooms, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of anybody else is at hand that could show that the store is well."""
    monkeypatch.setattr(store_probe, "MOST_DOUBT_SECONDS", 2.0)
    crawling = Crawling(CORP, OTHER)
    async with rooms("identity") as room, Running(room, jetstream, "t-doubt", crawling.handle, batch=2) as running:
        await running.send([0], corp_id=CORP)
        await running.send([1], corp_id=OTHER)
        await until(lambda: crawling.tries)
        await running.send([2], corp_id="ww00000000000000cc")
        await until(lambda: crawling.taken == ["t-doubt-2"], seconds=40)
        assert sorted(await letters(room)) == ["t-doubt-0", "t-doubt-1"]


async def test_a_slow_fact_beside_quick_ones_is_at_fault(rooms: Rooms, jetstream: JetStreamContext) -> None:
    crawling = Crawling(OTHER)
    async with rooms("identity") as room, Running(room, jetstream, "t-beside", crawling.handle) as running:
        await running.send([0], corp_id=OTHER)
        await running.send([1, 2], corp_id=CORP)
        await until(running.settled, seconds=40)
        assert sorted(crawling.taken) == ["t-beside-1", "t-beside-2"]
        assert await letters(room) == ["t-beside-0"]


async def test_rows_of_a_queue_stay_while_the_store_is_slow(rooms: Rooms) -> None:
    class Slow(Marks):
        slow = True

        async def handle(self, tx: Tx, rows: Sequence[Any]) -> None:
            if self.slow:
                await tx.connection.execute("set local statement_timeout = '50ms'")
                await tx.connection.execute("select pg_sleep(2)")
            await super().handle(tx, rows)

    async with rooms("commerce") as room:
        marks = Slow(room)
        await marks.add(["o1"])
        async with stalled(room):
            with pytest.raises(Exception, match="statement timeout"):
                await marks.queue.work()
        assert await marks.waiting() == ["o1"]
        marks.slow = False
        await marks.work_off()
        assert marks.handled == ["o1"]
        assert await letters(room) == []


async def test_the_probe_leaves_nothing_behind(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        probe = StoreProbe(room.pool)
        assert not await probe.is_slow()
        async with stalled(room):
            assert await probe.is_slow()
        assert not await probe.is_slow()
        assert await room.rows("select 1 from inbox") == []
        assert Parking(room.pool).store.hits_several() is False
