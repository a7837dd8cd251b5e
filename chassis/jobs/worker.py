"""Does the jobs of one kind: a claim of chassis.scheduled is one step of one job.

A job that has more to do is due again at once, behind those that have waited longer, corp by corp. Whoever begins a
step puts its claim's number into the job; only the newest number commits, so that a worker that was frozen, a second
replica, or a cancelled job's last step changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.message import Message
from uuid_utils import uuid7

from chassis import jobs, scheduled
from chassis.dead_letters import detail_of
from chassis.errors import DomainError, Forbidden, Limited, TimedOut, Unauthenticated
from chassis.files import Files
from chassis.jobs.runner import Members, Runner, Running, Step
from chassis.jobs.writing import write
from chassis.kernel import caller
from chassis.kernel.caller import Caller
from chassis.kernel.jobs import publish_job_changed
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.pool import Row, is_timeout, is_transient
from chassis.purposes import JOB_RESULT
from chassis.scheduled import Claim
from chassis.sealing import Sealer

# In a row, seconds to minutes apart; then the job has failed.
MOST_FAILURES = 5
MOST_OPEN = 10


@dataclass(eq=False)
class JobKind:
    """Fits chassis.effects.OneByOne by `perform`."""

    kind: str
    service: str
    runner: Runner
    members: Members
    outbox: Outbox
    files: Files
    sealer: Sealer
    # Of its requests: higher once they ask for what earlier releases do not know.
    release: int = 1
    wake: Callable[[], None] = field(default=lambda: None)

    @property
    def queue(self) -> str:
        """The kind of its due rows. Those of a later release have one that earlier ones never look for."""
        return f"job-{self.kind}" if self.release == 1 else f"job-{self.kind}-{self.release}"

    async def create(self, tx: Tx, me: Caller, request: Message, title: str = "") -> Row:
        """Raises Limited when the caller has ten that have not ended."""
        if await jobs.count_open(tx.connection, me.corp_id, me.name) >= MOST_OPEN:
            raise Limited("TOO_MANY_JOBS", f"{MOST_OPEN} jobs of yours have not ended", expected="wait, or cancel one")
        job_id = str(uuid7())
        # Before anything is written to them: whatever becomes of the job, they are swept.
        file_ids = [str(uuid7()) if made else None for made in (self.runner.result, self.runner.errors)]
        for file_id, made in zip(file_ids, (self.runner.result, self.runner.errors), strict=True):
            if file_id and made:
                await self.files.create(tx.connection, me, file_id, JOB_RESULT, *made)
        row = await jobs.insert(
            tx.connection,
            me.corp_id,
            job_id,
            self.kind,
            title=title,
            sealed_request=self.sealer.seal_bytes(me.corp_id, request.SerializeToString()),
            created_by=me.name,
            created_role=me.role,
            result_file_id=file_ids[0],
            error_file_id=file_ids[1],
        )
        await scheduled.schedule_once(tx.connection, self.queue, [scheduled.Job(me.corp_id, job_id, datetime.now(UTC))])
        publish_job_changed(tx, self.service, row)
        self.wake()
        return row

    async def perform(self, claim: Claim) -> None:
        async with scheduled.held(self.outbox.pool, self.queue, claim):
            row = await self._begin(claim)
            if row is not None:
                await self._step(claim, row)
        self.wake()

    async def _begin(self, claim: Claim) -> Row | None:
        """The job, ours from now on; None when it has ended."""
        async with self.outbox.transaction() as tx:
            row: Row | None = await tx.connection.fetchrow(
                """
                with before as (
                    select state
                    from jobs
                    where (corp_id, job_id) = ($1, $2)
                    for update
                )
                update jobs
                set state = 'RUNNING',
                    started_at = coalesce(started_at, now()),
                    claim_no = $3,
                    announced_at = case when before.state = 'QUEUED' then now() else announced_at end
                from before
                where (corp_id, job_id) = ($1, $2)
                  and jobs.state in ('QUEUED', 'RUNNING')
                  and claim_no < $3
                returning jobs.*, before.state = 'QUEUED' as is_new
                """,
                claim.corp_id,
                claim.key,
                claim.number,
            )
            if row is None:
                await scheduled.finish(tx.connection, self.queue, [(claim, "ended")])
            elif row["is_new"]:
                publish_job_changed(tx, self.service, row)
        return row

    async def _step(self, claim: Claim, row: Row) -> None:
        creator = Caller.named(row["corp_id"], row["created_by"], row["created_role"])
        try:
            if claim.failures >= MOST_FAILURES:
                raise Limited("WORKER_LOST", "each worker ended before its step did")
            await self._check(creator)
            request = self.sealer.open_bytes(row["corp_id"], row["sealed_request"])
            running = Running(row["job_id"], creator, request, row["position"], row["done"], row["total"])
            caller.enter(dict(creator.metadata()))
            step = await self.runner.step(running)
            if caller.lacks_scope():
                raise Forbidden("SCOPE_NOT_APPLIED", "the step asked for nobody's scope")
            await self._commit(claim, row, step)
        except Exception as error:
            if is_transient(error) and not is_timeout(error):
                raise
            if isinstance(error, DomainError) and not isinstance(error, TimedOut):
                await self._fail(claim, error.reason, error.message)
            elif claim.failures + 1 < MOST_FAILURES:
                raise
            else:
                log.error("job_failed", kind=self.kind, job_id=row["job_id"], detail=detail_of(error))
                reason = "WORK_TIMED_OUT" if is_timeout(error) else "INTERNAL"
                await self._fail(claim, reason, "something went wrong on our side")

    async def _check(self, creator: Caller) -> None:
        """What was begun in one role is not finished in another: half of the result would be of each."""
        try:
            now = await self.members.role_of(creator)
        except (Forbidden, Unauthenticated) as error:
            raise Forbidden("ROLE_TAKEN_AWAY", "whoever asked for it is none of ours any more") from error
        if now != creator.role:
            raise Forbidden("ROLE_TAKEN_AWAY", f"whoever asked for it was {creator.role}, and is {now} now")

    async def _commit(self, claim: Claim, row: Row, step: Step) -> None:
        """The files' parts first: an object that no row names is swept with its file."""
        ended = step.position is None
        written = [
            await write(self.outbox.pool, self.files.blobs, row["corp_id"], row[column], content, made[1], ended)
            for column, content, made in (
                ("result_file_id", step.result, self.runner.result),
                ("error_file_id", step.errors, self.runner.errors),
            )
            if row[column] is not None and made is not None
        ]
        try:
            async with self.outbox.transaction() as tx:
                after = await self._advance(tx, claim, step, [one.file_id for one in written if one.is_empty])
                if after is None:
                    raise _Overtaken
                for one in written:
                    await one.save(tx)
                if step.write is not None:
                    await step.write(tx)
                if ended:
                    await scheduled.finish(tx.connection, self.queue, [(claim, "succeeded")])
                else:
                    await scheduled.postpone(tx.connection, self.queue, [(claim, datetime.now(UTC))])
                if after["announces"]:
                    publish_job_changed(tx, self.service, after)
        except _Overtaken:
            for one in written:
                await one.undo(self.files.blobs)
            async with self.outbox.pool.acquire() as connection:
                await scheduled.finish(connection, self.queue, [(claim, "ended")])

    async def _advance(self, tx: Tx, claim: Claim, step: Step, empty: Sequence[str]) -> Row | None:
        """None when the job is not ours any more: cancelled, or with another worker. `empty`: files that stayed so."""
        row: Row | None = await tx.connection.fetchrow(
            """
            with before as (
                select announced_at
                from jobs
                where (corp_id, job_id) = ($1, $2)
                for update
            )
            update jobs
            set position = coalesce($4, position),
                done = $5,
                total = case when $4 is null then $5 else coalesce($6, total) end,
                stepped_at = clock_timestamp(),
                state = case when $4 is null then 'SUCCEEDED' else 'RUNNING' end,
                ended_at = case when $4 is null then now() end,
                result_file_id = case when result_file_id = any($7::uuid[]) then null else result_file_id end,
                error_file_id = case when error_file_id = any($7::uuid[]) then null else error_file_id end,
                announced_at = case
                    when $4 is null or before.announced_at < now() - make_interval(secs => $8) then now()
                    else before.announced_at
                end
            from before
            where (corp_id, job_id) = ($1, $2) and state = 'RUNNING' and claim_no = $3
            returning jobs.*, jobs.announced_at > before.announced_at as announces
            """,
            claim.corp_id,
            claim.key,
            claim.number,
            step.position,
            step.done,
            step.total,
            empty,
            jobs.ANNOUNCE_SECONDS,
        )
        return row

    async def _fail(self, claim: Claim, reason: str, detail: str) -> None:
        async with self.outbox.transaction() as tx:
            row: Row | None = await tx.connection.fetchrow(
                """
                update jobs
                set state = 'FAILED', ended_at = now(), announced_at = now(), failure = $4, failure_detail = $5
                where (corp_id, job_id) = ($1, $2) and state = 'RUNNING' and claim_no = $3
                returning *
                """,
                claim.corp_id,
                claim.key,
                claim.number,
                reason,
                detail,
            )
            if row is not None:
                await jobs.drop_files(tx.connection, row)
                publish_job_changed(tx, self.service, row)
            await scheduled.finish(tx.connection, self.queue, [(claim, "failed")])


class _Overtaken(Exception):
    """Rolls a step back."""
