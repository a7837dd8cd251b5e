"""Effects that keep failing end as dead letters, and a corp with a long backlog starves no other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.js import JetStreamContext

from chassis import dead_letters, scheduled
from chassis.dead_letters.replay import replay_all
from chassis.effects import EffectWorker, OneByOne
from chassis.errors import Unavailable
from chassis.scheduled import Claim, Job
from tests.conftest import CORP, Room

Rooms = Callable[[str], Any]
KIND = "t-effect"
OTHER = "ww00000000000000bb"


class Calls:
    """A handler that fails for the keys in `broken`, at the step named in `step`."""

    def __init__(self, room: Room, step: str = "call") -> None:
        self.room, self.step = room, step
        self.broken: set[str] = set()
        self.error: Exception = RuntimeError("no way")
        self.made: list[str] = []

    def _perhaps(self, step: str, claims: Sequence[Claim]) -> None:
        if step == self.step and self.broken & {claim.key for claim in claims}:
            raise self.error

    async def prepare(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        self._perhaps("prepare", claims)
        return claims

    async def call(self, item: Claim) -> Claim:
        self._perhaps("call", [item])
        self.made.append(item.key)
        return item

    async def settle(self, outcomes: Sequence[Claim]) -> None:
        self._perhaps("settle", outcomes)
        async with self.room.pool.acquire() as connection:
            await scheduled.finish(connection, KIND, [(claim, "ok") for claim in outcomes])


async def schedule(room: Room, keys: Sequence[str], corp_id: str = CORP, **more: Any) -> None:
    async with room.pool.acquire() as connection:
        await scheduled.schedule_once(connection, KIND, [Job(corp_id, key, datetime.now(UTC), **more) for key in keys])


async def run(room: Room, worker: EffectWorker, rounds: int) -> None:
    """So many rounds, each of them as if the pause after a failure were over."""
    for _ in range(rounds):
        await room.pool.execute("update due_rows set due_at = now() - interval '1 second' where status = 'due'")
        while await worker.work():
            await worker.drain()


async def outcomes(room: Room) -> dict[str, Any]:
    rows = await room.rows("select key, coalesce(outcome, status) as outcome from due_rows order by key")
    return {str(row["key"]): row["outcome"] for row in rows}


@pytest.mark.parametrize("step", ["prepare", "call", "settle"])
async def test_what_always_raises_is_a_dead_letter_after_its_attempts(
    rooms: Rooms, jetstream: JetStreamContext, step: str
) -> None:
    async with rooms("identity") as room:
        calls = Calls(room, step)
        calls.broken = {"b"}
        worker = EffectWorker(room.pool, KIND, calls, at_once=8, attempts=3)
        await schedule(room, ["a", "b", "c"], detail={"sealed": "x"})
        await run(room, worker, 2)
        assert await outcomes(room) == {"a": "ok", "b": "due", "c": "ok"}
        assert await room.rows("select 1 from dead_letters") == []
        await run(room, worker, 3)
        assert await outcomes(room) == {"a": "ok", "b": "DEAD_LETTER", "c": "ok"}
        (letter,) = await room.rows("select durable, fact_id, reason, detail, payload from dead_letters")
        assert (letter["durable"], letter["fact_id"], letter["reason"]) == (KIND, "b", "RuntimeError")
        assert "no way" in str(letter["detail"])
        assert json.loads(bytes(letter["payload"]))["detail"] == {"sealed": "x"}  # type: ignore[arg-type]
        calls.broken.clear()
        async with room.pool.acquire() as connection:
            assert (await replay_all(connection, jetstream, CORP, None, seconds=5)).replayed == 1
        await run(room, worker, 1)
        assert await outcomes(room) == {"a": "ok", "b": "ok", "c": "ok"}
        assert calls.made.count("a") == 1


async def test_given_up_it_stays_ended(rooms: Rooms, jetstream: JetStreamContext) -> None:
    async with rooms("identity") as room:
        calls = Calls(room)
        calls.broken = {"a"}
        worker = EffectWorker(room.pool, KIND, calls, at_once=8, attempts=1)
        await schedule(room, ["a"])
        await run(room, worker, 1)
        async with room.pool.acquire() as connection:
            assert await dead_letters.close(connection, OTHER, None, ["a"], "GIVEN_UP") == 0
            assert await dead_letters.close(connection, CORP, None, ["a"], "GIVEN_UP") == 1
            assert (await replay_all(connection, jetstream, CORP, None, seconds=5)).replayed == 0
            letter = await dead_letters.get(connection, CORP, KIND, "a")
        assert letter is not None
        assert letter["outcome"] == "GIVEN_UP"
        await run(room, worker, 2)
        assert await outcomes(room) == {"a": "DEAD_LETTER"}


async def test_outages_and_postponements_do_not_count(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        calls = Calls(room)
        calls.broken = {"a"}
        calls.error = Unavailable("AWAY")
        worker = EffectWorker(room.pool, KIND, calls, at_once=8, attempts=2)
        await schedule(room, ["a"])
        await run(room, worker, 6)
        assert await outcomes(room) == {"a": "due"}
        calls.broken.clear()
        await run(room, worker, 1)
        assert await outcomes(room) == {"a": "ok"}

        async def later(claim: Claim) -> None:
            async with room.pool.acquire() as connection:
                await scheduled.postpone(connection, KIND, [(claim, datetime.now(UTC) + timedelta(hours=1))])

        patient = EffectWorker(room.pool, KIND, OneByOne(later), at_once=8, attempts=2)
        await schedule(room, ["b"])
        await run(room, patient, 6)
        assert await outcomes(room) == {"a": "ok", "b": "due"}


async def test_only_attempts_that_may_have_called_count(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one that failed before its call, nor one whose worker was frozen until its lease was nearly over."""
    async with rooms("identity") as room:
        calls = Calls(room, "prepare")
        calls.broken = {"a"}
        worker = EffectWorker(room.pool, KIND, calls, at_once=8)
        await schedule(room, ["a"])
        await run(room, worker, 1)
        calls.error = Unavailable("AWAY")
        await room.pool.execute("update due_rows set due_at = now()")
        with pytest.raises(Unavailable):
            await worker.work()
        calls.broken.clear()
        with monkeypatch.context() as frozen:
            frozen.setattr(scheduled, "CALL_SECONDS", scheduled.LEASE_SECONDS + 1)
            await room.pool.execute("update due_rows set due_at = now()")
            assert await worker.work() == 1
            await worker.drain()
        assert calls.made == []
        assert await room.rows("select status, attempts from due_rows") == [{"status": "due", "attempts": 0}]
        calls.step, calls.broken, calls.error = "call", {"a"}, RuntimeError("cut off")
        await run(room, worker, 1)
        calls.broken.clear()
        await room.pool.execute("update due_rows set due_at = now()")
        (claim,) = await scheduled.claim(room.pool, KIND, 1)
        assert claim.attempts == 2


async def test_recurring_work_is_never_given_up(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        calls = Calls(room)
        calls.broken = {"a"}
        worker = EffectWorker(room.pool, KIND, calls, at_once=8, attempts=None)
        await schedule(room, ["a"])
        await run(room, worker, 12)
        assert await outcomes(room) == {"a": "due"}
        (row,) = await room.rows("select due_at < now() + interval '11 minutes' as soon, failures from due_rows")
        assert row == {"soon": True, "failures": 12}


async def test_an_effect_that_its_workers_die_of_is_a_dead_letter(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        calls = Calls(room)
        worker = EffectWorker(room.pool, KIND, calls, at_once=8, attempts=3)
        await schedule(room, ["deadly"])
        for _ in range(3):
            assert await scheduled.claim(room.pool, KIND, 10)
            await room.pool.execute("update due_rows set lease_until = now() - interval '1 second'")
        await run(room, worker, 2)
        assert calls.made == []
        assert await outcomes(room) == {"deadly": "DEAD_LETTER"}
        (letter,) = await room.rows("select reason from dead_letters")
        assert letter["reason"] == "WORKER_LOST"


async def backlog(room: Room, corps: int, rows_of_first: int, rows_of_others: int) -> None:
    """The first corp's rows have waited longest, and there are rows of other kinds and done ones about."""
    await room.pool.execute(
        """
        insert into due_rows (corp_id, kind, key, due_at, status, done_at)
        select 'ww' || lpad(c::text, 4, '0'),
               k,
               n::text,
               now() - make_interval(secs => case when c = 1 then 7200 - n / 100.0 else 60 end),
               case when k = 't-done' then 'done' else 'due' end,
               case when k = 't-done' then now() end
        from generate_series(1, $1) as c
        cross join unnest(array[$2, 't-other', 't-done']) as k
        cross join lateral generate_series(1, case when c = 1 then $3::int else $4::int end) as n
        """,
        corps,
        KIND,
        rows_of_first,
        rows_of_others,
    )
    await room.pool.execute("analyze due_rows")


async def test_a_long_backlog_of_one_corp_starves_no_other(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        await backlog(room, corps=20, rows_of_first=5000, rows_of_others=3)
        claimed: list[Claim] = []
        for _ in range(5):
            claimed += await scheduled.claim(room.pool, KIND, 40)
        counts = Counter(claim.corp_id for claim in claimed)
        assert len(counts) == 20
        assert {counts[corp_id] for corp_id in counts if corp_id != "ww0001"} == {3}
        # Nobody else is left: the places are the first one's alone.
        assert len(await scheduled.claim(room.pool, KIND, 40)) == 40


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_a_claim_reads_its_index_only(rooms: Rooms) -> None:
    """20,000 rows of 100 corps: a claim of 40 touches about a hundred heads and what it takes."""
    async with rooms("identity") as room, room.pool.acquire() as connection:
        await backlog(room, corps=100, rows_of_first=10_000, rows_of_others=100)
        transaction = connection.transaction()
        await transaction.start()
        text = await connection.fetchval(
            "explain (analyze, format json) " + scheduled.CLAIM, KIND, 40, scheduled.LEASE_SECONDS
        )
        await transaction.rollback()
        found = [node for node in nodes(json.loads(text)[0]["Plan"]) if node.get("Relation Name") == "due_rows"]
        assert found
        for node in found:
            assert node["Node Type"] != "Seq Scan"
            read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            assert read <= 300, node
