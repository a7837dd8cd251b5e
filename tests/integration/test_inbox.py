"""The inbox outlives every delivery, and not much more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from bihuan.wecom.v1.facts_pb2 import ContactAdded
from nats.js import JetStreamContext

from chassis import bus, inbox
from chassis.consumer import Durable
from chassis.facts import Received
from chassis.outbox import Tx
from tests import facts as f
from tests.conftest import received

Rooms = Callable[[str], Any]
EIGHT_DAYS = timedelta(days=8)


async def test_old_rows_are_forgotten_a_chunk_at_a_time(
    rooms: Rooms, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "FORGET_ROWS", 100)
    async with rooms("identity") as room:
        await room.pool.execute(
            """
            insert into inbox (corp_id, durable, fact_id, taken_at)
            select 'a', 'd', n::text, now() - make_interval(days => 7, hours => n)
            from generate_series(1, 250) n
            """
        )
        forgotten = []
        while not forgotten or forgotten[-1]:
            forgotten.append(await inbox.forget_old(room.pool, jetstream, EIGHT_DAYS))
        assert forgotten == [100, 100, 27, 0]
        plan = await room.rows(f"explain {inbox.FORGET}", EIGHT_DAYS, 100)
        assert "inbox_age" in str(plan)


async def test_an_inbox_shorter_than_its_streams_is_refused(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """Also when it is an operator who made a stream longer."""
    config = (await bus.ask(jetstream, "STREAM.INFO.EDGE", {}))["config"]
    async with rooms("identity") as room:
        await room.pool.execute("insert into inbox values ('a', 'd', '1', now() - interval '40 days')")
        with pytest.raises(ValueError, match="EDGE"):
            await inbox.forget_old(room.pool, jetstream, timedelta(days=7))
        try:
            for days in (30, 0):  # 0: for ever
                longer = config | {"max_age": int(timedelta(days=days).total_seconds() * 1e9)}
                await bus.ask(jetstream, "STREAM.UPDATE.EDGE", longer)
                with pytest.raises(ValueError, match="EDGE"):
                    await inbox.forget_old(room.pool, jetstream, EIGHT_DAYS)
        finally:
            await bus.ask(jetstream, "STREAM.UPDATE.EDGE", config)
        assert len(await room.rows("select * from inbox")) == 1
        assert await inbox.forget_old(room.pool, jetstream, EIGHT_DAYS) == 1


async def test_only_durables_that_need_one_have_an_inbox(rooms: Rooms) -> None:
    counted: list[int] = []

    async def count(tx: Tx, facts: Sequence[Received]) -> None:
        counted.append(len(facts))

    once = Durable("t-once", "EDGE", (ContactAdded,), count)
    again = Durable("t-again", "EDGE", (ContactAdded,), count, idempotent=True)
    facts = [received(f.added(n, "anna", n), f"f{n}") for n in range(3)]
    async with rooms("identity") as room:
        assert [await room.take(once, facts), await room.take(once, facts)] == [3, 0]
        assert [await room.take(again, facts), await room.take(again, facts)] == [3, 3]
        assert counted == [3, 3, 3]
        assert {row["durable"] for row in await room.rows("select durable from inbox")} == {"t-once"}
