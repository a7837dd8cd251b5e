"""Work queues that are no streams: handled once, culprits dead-lettered alone, no corp stops another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest
from nats.js import JetStreamContext

from chassis import parking
from chassis.dead_letters.replay import replay_all
from chassis.errors import Invalid
from chassis.outbox import Tx
from chassis.parking import POISONS_IN_A_ROW, Parking
from chassis.pool import Row
from chassis.work_queue import WorkQueue
from tests.conftest import CORP, Room

Rooms = Callable[[str], Any]
OTHER = "ww00000000000000bb"
ANYBODY = "00000000-0000-7000-8000-000000000000"


class Marks:
    """A queue over `attribution_marks` whose handler is the test's; it refuses the orders named in `poison`."""

    def __init__(self, room: Room, *, batch: int = 100) -> None:
        self.handled: list[str] = []
        self.poison: set[str] = set()
        self.parking = Parking(room.pool)
        self.room = room
        self.queue = WorkQueue(
            room.outbox, self.parking, "marks", "attribution_marks", self.handle, key="mark_id", batch=batch
        )

    async def handle(self, tx: Tx, rows: Sequence[Row]) -> None:
        for row in rows:
            if row["order_id"] in self.poison:
                raise Invalid("IMPOSSIBLE", f"no way with {row['order_id']}")
        self.handled += [row["order_id"] for row in rows]

    async def add(self, order_ids: Sequence[str], corp_id: str = CORP) -> None:
        await self.room.pool.execute(
            """
            insert into attribution_marks (corp_id, mall_id, order_id, identifier_id)
            select $1, 'm', order_id, $3
            from unnest($2::text[]) as t(order_id)
            """,
            corp_id,
            order_ids,
            ANYBODY,
        )

    async def work_off(self) -> None:
        while await self.queue.work():
            pass
        await self.queue.work()

    async def waiting(self) -> list[str]:
        return [
            str(row["order_id"]) for row in await self.room.rows("select * from attribution_marks order by mark_id")
        ]


async def test_each_row_is_handled_once_by_any_number_of_replicas(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        one, other = Marks(room, batch=7), Marks(room, batch=5)
        await one.add([f"o{n}" for n in range(60)])
        await one.add([f"p{n}" for n in range(20)], OTHER)
        await asyncio.gather(one.work_off(), other.work_off())
        assert sorted(one.handled + other.handled) == sorted(
            [f"o{n}" for n in range(60)] + [f"p{n}" for n in range(20)]
        )
        assert await one.waiting() == []


async def test_a_culprit_is_dead_lettered_alone_and_put_back_by_a_replay(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    async with rooms("commerce") as room:
        marks = Marks(room)
        marks.poison = {"o13"}
        await marks.add([f"o{n}" for n in range(40)])
        await marks.work_off()
        assert sorted(marks.handled) == sorted(f"o{n}" for n in range(40) if n != 13)
        assert await marks.waiting() == []
        (letter,) = await room.rows("select durable, reason, detail from dead_letters")
        assert (letter["durable"], letter["reason"]) == ("marks", "IMPOSSIBLE")
        assert "no way with o13" in str(letter["detail"])
        marks.poison.clear()
        async with room.pool.acquire() as connection:
            assert (await replay_all(connection, jetstream, CORP, "marks", seconds=5)).replayed == 1
        await marks.work_off()
        assert "o13" in marks.handled
        assert len(marks.handled) == 40


async def test_a_bug_that_hits_one_corp_parks_its_rows_where_they_are(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        marks = Marks(room)
        bad = [f"bad{n}" for n in range(30)]
        marks.poison = set(bad)
        await marks.add(bad, OTHER)
        await marks.add([f"o{n}" for n in range(50)])
        await marks.work_off()
        assert sorted(marks.handled) == sorted(f"o{n}" for n in range(50))
        assert len(await marks.waiting()) == 30 - POISONS_IN_A_ROW
        await marks.add(["o-later"])
        await marks.work_off()
        assert "o-later" in marks.handled
        marks.poison.clear()
        async with room.pool.acquire() as connection:
            (shown,) = await parking.page(connection, OTHER)
            assert (shown["durable"], shown["reason"]) == ("marks", "IMPOSSIBLE")
            assert await parking.release(connection, OTHER, "marks") == 1
        await marks.parking.refresh()
        await marks.work_off()
        assert await marks.waiting() == []
        assert await room.rows("select * from parked") == []


async def test_an_outage_is_the_loops_and_loses_nothing(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        marks = Marks(room)

        async def break_off(tx: Tx, rows: Sequence[Row]) -> None:
            await tx.connection.execute("select pg_terminate_backend(pg_backend_pid())")

        broken = WorkQueue(room.outbox, marks.parking, "marks", "attribution_marks", break_off, key="mark_id", batch=10)
        await marks.add(["a", "b"])
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await broken.work()
        await marks.work_off()
        assert sorted(marks.handled) == ["a", "b"]
        assert await room.rows("select * from dead_letters") == []


async def test_what_is_too_big_for_its_bound_is_halved(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        handled: list[int] = []

        async def slow(tx: Tx, rows: Sequence[Row]) -> None:
            await tx.connection.execute("set local statement_timeout = '200ms'")
            if len(rows) > 2:
                await tx.connection.execute("select pg_sleep(2)")
            handled.append(len(rows))

        marks = Marks(room)
        queue = WorkQueue(room.outbox, marks.parking, "marks", "attribution_marks", slow, key="mark_id", batch=8)
        await marks.add([f"o{n}" for n in range(4)])
        await queue.work()
        assert handled == [2, 2]
        assert await marks.waiting() == []


async def test_a_corp_with_a_long_backlog_starves_nobody(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        marks = Marks(room, batch=10)
        await marks.add([f"long{n}" for n in range(500)])
        await marks.add(["short"], OTHER)
        assert await marks.queue.work()
        assert "short" in marks.handled
