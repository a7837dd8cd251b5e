"""Jobs: each step counts once whatever dies, is doubled, or is cancelled meanwhile; and no one keeps others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bihuan.operations.v1 import job_service_pb2 as pb
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import jobs, scheduled
from chassis.blobs import Blobs
from chassis.effects import EffectWorker, OneByOne
from chassis.errors import Forbidden, Invalid, Limited, NotFound, Precondition, Unavailable
from chassis.files import Files
from chassis.jobs.runner import Running, Step
from chassis.jobs.worker import MOST_FAILURES, MOST_OPEN, JobKind
from chassis.kernel import caller
from chassis.kernel.caller import Caller
from chassis.kernel.job_servicer import JobServicer
from chassis.outbox import Tx
from chassis.sealing import Sealer
from tests.conftest import CORP, Room, examples

Rooms = Callable[[str], Any]
OTHER = "ww00000000000000bb"
BOSS = Caller(CORP, "boss", "ADMIN")
ANNA = Caller(CORP, "anna", "FRONTLINE")
BOB = Caller(CORP, "bob", "FRONTLINE")


@dataclass
class Counting:
    """A runner of `steps` steps: each writes its number into a table of its own, and into the result."""

    steps: int = 3
    result: tuple[str, str] | None = ("numbers.txt", "text/plain")
    errors: tuple[str, str] | None = ("wrong.txt", "text/plain")
    seen: list[Running] = field(default_factory=list)
    # Called before a step ends.
    then: Callable[[Running], Any] = lambda job: None
    wrong: bytes = b""

    async def step(self, job: Running) -> Step:
        assert caller.caller() == job.creator
        assert job.creator.confined_to in (None, job.creator.userid)
        self.seen.append(job)
        number = job.done + 1
        happened = self.then(job)
        if asyncio.iscoroutine(happened):
            await happened

        async def write(tx: Tx) -> None:
            await tx.connection.execute("insert into numbers values ($1, $2)", job.job_id, number)

        position = str(number) if number < self.steps else None
        return Step(position, number, self.steps, f"{number}\n".encode(), self.wrong, write)


class Roles:
    """identity's answers."""

    def __init__(self) -> None:
        self.now: dict[str, str] = {}

    async def role_of(self, who: Caller) -> str:
        if self.now.get(who.name) == "":
            raise Forbidden("NOT_A_MEMBER")
        return self.now.get(who.name, who.role)


@dataclass
class Workshop:
    room: Room
    kind: JobKind
    runner: Counting
    roles: Roles
    files: Files
    folder: Path

    def worker(self, at_once: int = 2) -> EffectWorker:
        return EffectWorker(
            self.room.pool, self.kind.queue, OneByOne(self.kind.perform), at_once=at_once, attempts=None
        )

    async def ask(self, me: Caller = ANNA, request: str = "") -> str:
        async with self.room.outbox.transaction() as tx:
            row = await self.kind.create(tx, me, StringValue(value=request), "words")
        return str(row["job_id"])

    async def work(self, worker: EffectWorker | None = None) -> None:
        """Until nothing is due, as if every pause after a failure were over."""
        worker = worker or self.worker()
        while True:
            await self.room.pool.execute(
                "update due_rows set due_at = now() - interval '1 second' where status = 'due' and due_at > now()"
            )
            if not await worker.work():
                return
            await worker.drain()

    async def job(self, job_id: str) -> dict[str, Any]:
        (row,) = await self.room.rows("select * from jobs where job_id = $1", job_id)
        return row

    async def numbers(self, job_id: str) -> list[Any]:
        rows = await self.room.rows("select number from numbers where job_id = $1 order by number", job_id)
        return [row["number"] for row in rows]

    async def content(self, me: Caller, file_id: Any) -> bytes:
        file, parts = await self.files.find(me, str(file_id))
        return b"".join([piece async for piece in self.files.read(file, parts)])

    def objects(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]

    async def claim(self) -> scheduled.Claim:
        (one,) = await scheduled.claim(self.room.pool, self.kind.queue, 1)
        return one


@asynccontextmanager
async def workshop(rooms: Rooms, sealer: Sealer, folder: Path, **runner: Any) -> AsyncIterator[Workshop]:
    async with rooms("identity") as room:
        await room.pool.execute("create table numbers (job_id uuid not null, number int not null)")
        files = Files(room.pool, Blobs(folder.as_uri(), "identity", sealer), sealer)
        counting, roles = Counting(**runner), Roles()
        kind = JobKind("counting", "identity", counting, roles, room.outbox, files, sealer)
        yield Workshop(room, kind, counting, roles, files, folder)


async def test_a_job_is_done_step_by_step_and_shown(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:
        job_id = await shop.ask(request="for me")
        caller.enter(dict(ANNA.metadata()))
        servicer = JobServicer("identity", shop.room.outbox)
        queued = (await servicer.GetJob(pb.GetJobRequest(job_id=job_id), None)).job
        assert (queued.state, queued.title, queued.created_by) == (pb.JOB_STATE_QUEUED, "words", "anna")
        assert not queued.result_file_id
        await shop.work()
        caller.enter(dict(ANNA.metadata()))
        job = (await servicer.GetJob(pb.GetJobRequest(job_id=job_id), None)).job
        assert (job.state, job.done, job.total) == (pb.JOB_STATE_SUCCEEDED, 3, 3)
        assert job.rate > 0
        assert job.ended_at.seconds >= job.started_at.seconds >= job.created_at.seconds > 0
        assert {one.request for one in shop.runner.seen} == {StringValue(value="for me").SerializeToString()}
        assert await shop.numbers(job_id) == [1, 2, 3]
        assert await shop.content(ANNA, job.result_file_id) == b"1\n2\n3\n"
        assert job.error_file_id == ""  # nothing was wrong
        assert not any(b"\n2\n" in path.read_bytes() for path in shop.objects()), "sealed"


@settings(max_examples=examples(15))
@given(
    steps=st.integers(1, 5),
    blows=st.lists(st.sampled_from(["killed before", "killed in a step", "outage", "frozen"]), max_size=4),
)
async def test_whatever_happens_each_step_counts_once(
    rooms: Rooms, sealer: Sealer, tmp_path_factory: pytest.TempPathFactory, steps: int, blows: list[str]
) -> None:
    async with workshop(rooms, sealer, tmp_path_factory.mktemp("blobs"), steps=steps) as shop:
        job_id = await shop.ask()

        async def give_up_the_lease() -> None:
            await shop.room.pool.execute("update due_rows set lease_until = now() - interval '1 second'")

        for blow in blows:
            if (await shop.job(job_id))["state"] not in jobs.OPEN_STATES:
                break
            await shop.room.pool.execute("update due_rows set due_at = now() - interval '1 second'")
            claim = await shop.claim()
            if blow == "killed in a step":

                def killed(job: Running) -> None:
                    raise asyncio.CancelledError

                shop.runner.then = killed
                with pytest.raises(asyncio.CancelledError):
                    await shop.kind.perform(claim)
            elif blow == "outage":

                def away(job: Running) -> None:
                    raise Unavailable("AWAY")

                shop.runner.then = away
                with pytest.raises(Unavailable):
                    await shop.kind.perform(claim)
            elif blow == "frozen":
                # Another worker does the step while this one is held up in it.
                async def overtake(job: Running) -> None:
                    shop.runner.then = lambda job: None
                    await give_up_the_lease()
                    await shop.kind.perform(await shop.claim())

                shop.runner.then = overtake
                await shop.kind.perform(claim)
            shop.runner.then = lambda job: None
            await give_up_the_lease()
        await shop.work()
        job = await shop.job(job_id)
        assert (job["state"], job["done"]) == ("SUCCEEDED", steps)
        assert await shop.numbers(job_id) == list(range(1, steps + 1))
        expected = "".join(f"{n}\n" for n in range(1, steps + 1)).encode()
        assert await shop.content(ANNA, job["result_file_id"]) == expected


async def test_two_replicas_share_the_work_and_repeat_none(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path, steps=4) as shop:
        ids = [await shop.ask() for _ in range(6)]
        await asyncio.gather(shop.work(shop.worker()), shop.work(shop.worker()))
        await shop.work()
        for job_id in ids:
            assert (await shop.job(job_id))["state"] == "SUCCEEDED"
            assert await shop.numbers(job_id) == [1, 2, 3, 4]


async def test_cancelled_in_a_step_it_changes_nothing_more_and_leaves_no_file(
    rooms: Rooms, sealer: Sealer, tmp_path: Path
) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:
        job_id = await shop.ask()
        servicer = JobServicer("identity", shop.room.outbox)

        async def cancel(job: Running) -> None:
            if job.done == 1:
                answer = await servicer.CancelJob(pb.CancelJobRequest(job_id=job_id), None)
                assert answer.job.state == pb.JOB_STATE_CANCELLED

        shop.runner.then = cancel
        await shop.work()
        job = await shop.job(job_id)
        assert (job["state"], job["done"]) == ("CANCELLED", 1)
        assert await shop.numbers(job_id) == [1]
        assert len(shop.runner.seen) == 2
        caller.enter(dict(ANNA.metadata()))
        again = await servicer.CancelJob(pb.CancelJobRequest(job_id=job_id), None)
        assert again.job.state == pb.JOB_STATE_CANCELLED
        with pytest.raises(NotFound):
            await shop.content(ANNA, job["result_file_id"])
        assert len(shop.objects()) == 1  # of the step that counted
        await shop.room.pool.execute("update files set expires_at = now() - interval '1 second'")
        while await shop.files.sweep():
            pass
        assert shop.objects() == []
        assert await shop.room.rows("select 1 from files union all select 1 from file_parts") == []
        assert await shop.room.rows("select 1 from due_rows where status <> 'done'") == []


async def test_a_queued_job_is_cancelled_before_its_first_step(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:
        job_id = await shop.ask()
        async with shop.room.pool.acquire() as connection:
            _, changed = await jobs.cancel(connection, CORP, job_id, "anna")
        assert changed
        await shop.work()
        assert shop.runner.seen == []
        assert (await shop.job(job_id))["started_at"] is None


@pytest.mark.parametrize("now", ["", "OPERATOR"])
async def test_whoever_lost_their_role_meanwhile_gets_nothing(
    rooms: Rooms, sealer: Sealer, tmp_path: Path, now: str
) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:
        job_id = await shop.ask()
        shop.runner.then = lambda job: shop.roles.now.update(anna=now)
        await shop.work()
        job = await shop.job(job_id)
        assert (job["state"], job["failure"], job["done"]) == ("FAILED", "ROLE_TAKEN_AWAY", 1)
        with pytest.raises(NotFound):
            await shop.content(ANNA, job["result_file_id"])


async def test_what_is_wrong_fails_at_once_and_what_breaks_is_tried_again(
    rooms: Rooms, sealer: Sealer, tmp_path: Path
) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:

        def wrong(job: Running) -> None:
            raise Invalid("FILTER_WRONG", "no such thing")

        shop.runner.then = wrong
        first = await shop.ask()
        await shop.work()
        job = await shop.job(first)
        assert (job["state"], job["failure"], job["failure_detail"]) == ("FAILED", "FILTER_WRONG", "no such thing")
        assert len(shop.runner.seen) == 1

        def broken(job: Running) -> None:
            raise KeyError("secret")

        shop.runner.then = broken
        second = await shop.ask()
        await shop.work()
        job = await shop.job(second)
        assert (job["state"], job["failure"]) == ("FAILED", "INTERNAL")
        assert "secret" not in job["failure_detail"]
        assert len(shop.runner.seen) == 1 + MOST_FAILURES
        assert await shop.room.rows("select 1 from dead_letters") == []


async def test_a_step_that_kills_its_workers_ends_the_job(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:
        job_id = await shop.ask()
        for _ in range(MOST_FAILURES + 1):
            await shop.claim()
            await shop.room.pool.execute("update due_rows set lease_until = now() - interval '1 second'")
        await shop.work()
        assert shop.runner.seen == []
        assert (await shop.job(job_id))["failure"] == "WORKER_LOST"


async def test_what_it_could_not_take_is_a_file_of_its_own(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path, wrong=b"line 7\n") as shop:
        job_id = await shop.ask()
        await shop.work()
        assert await shop.content(ANNA, (await shop.job(job_id))["error_file_id"]) == b"line 7\n" * 3


async def test_a_long_job_keeps_no_other_corp_waiting(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path, steps=40) as shop:
        for _ in range(5):
            await shop.ask()
        short = await shop.ask(Caller(OTHER, "carl", "ADMIN"))
        worker = shop.worker(at_once=2)
        for _ in range(60):
            await worker.work()
            await worker.drain()
        assert (await shop.job(short))["done"] >= 30


async def test_own_jobs_and_the_administrators(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:
        mine, theirs = await shop.ask(ANNA), await shop.ask(BOB)
        foreign = await shop.ask(Caller(OTHER, "anna", "ADMIN"))
        key = await shop.ask(Caller(CORP, "", "SERVICE", "018f2f6e-0000-7000-8000-000000000001"))
        servicer = JobServicer("identity", shop.room.outbox)

        async def listed(me: Caller, **only: Any) -> list[str]:
            caller.enter(dict(me.metadata()))
            found: list[str] = []
            token = ""
            while True:
                request = pb.ListJobsRequest(page_size=1, page_token=token, **only)
                page = await servicer.ListJobs(request, None)
                assert not caller.lacks_scope()
                found += [one.job_id for one in page.jobs]
                token = page.next_page_token
                if not token:
                    return found

        assert await listed(ANNA) == await listed(ANNA, mine=True) == [mine]
        assert await listed(BOSS) == [key, theirs, mine]
        assert await listed(BOSS, mine=True) == []
        assert await listed(BOSS, kind="other") == []
        assert await listed(BOSS, kind="counting", state=pb.JOB_STATE_QUEUED) == [key, theirs, mine]
        assert await listed(Caller(CORP, "", "SERVICE", "018f2f6e-0000-7000-8000-000000000001")) == [key]
        for job_id in (theirs, foreign):
            caller.enter(dict(ANNA.metadata()))
            for call in (servicer.GetJob, servicer.CancelJob):
                kind = pb.GetJobRequest if call == servicer.GetJob else pb.CancelJobRequest
                with pytest.raises(NotFound):
                    await call(kind(job_id=job_id), None)
        await shop.work()
        caller.enter(dict(ANNA.metadata()))
        with pytest.raises(Precondition):
            await servicer.CancelJob(pb.CancelJobRequest(job_id=mine), None)
        with pytest.raises(NotFound):
            await shop.content(BOB, (await shop.job(mine))["result_file_id"])
        assert await shop.content(BOSS, (await shop.job(mine))["result_file_id"])
        # What they got as somebody else is not theirs any more.
        with pytest.raises(NotFound):
            await shop.content(Caller(CORP, "anna", "OPERATOR"), (await shop.job(mine))["result_file_id"])


async def test_nobody_queues_without_end(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with workshop(rooms, sealer, tmp_path) as shop:
        for _ in range(MOST_OPEN):
            await shop.ask()
        with pytest.raises(Limited):
            await shop.ask()
        await shop.ask(BOB)


async def test_it_is_told_at_each_change_of_state_and_once_a_second(
    rooms: Rooms, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[pb.Job] = []
    publish = Tx.publish

    def listen(self: Tx, message: Any, **more: Any) -> None:
        told.append(message.job)
        assert more["subject_suffix"].startswith(f".{CORP}.")
        publish(self, message, **more)

    monkeypatch.setattr(Tx, "publish", listen)
    async with workshop(rooms, sealer, tmp_path, steps=20) as shop:
        job_id = await shop.ask()
        await shop.work()
        states = [pb.JobState.Name(one.state).removeprefix("JOB_STATE_") for one in told]
        seconds = (await shop.job(job_id))["ended_at"] - (await shop.job(job_id))["created_at"]
        assert states[:2] == ["QUEUED", "RUNNING"]
        assert states[-1] == "SUCCEEDED"
        assert states.count("RUNNING") <= 2 + seconds.total_seconds()
        assert told[-1].result_file_id
