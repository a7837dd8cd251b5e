"""The batch loop: fetch, decode, one transaction with inbox and effects, commit, ack (rules 1 to 3 of the design)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from chassis import dead_letters, durables, inbox, metrics
from chassis.batches import Batches
from chassis.dead_letters import detail_of, reason_of
from chassis.errors import Invalid
from chassis.facts import FOR_DURABLE, Received, TypeUnknown, decode, subject_of, type_of
from chassis.kept import Delivery, KeptFacts, corp_of, position_of
from chassis.later_facts import LaterFacts
from chassis.logs import log
from chassis.nats_connection import connection_of
from chassis.outbox import Outbox, Tx
from chassis.parking import Parking
from chassis.pull import Pull, give_back, keep_alive

ACK_WAIT_SECONDS = 30.0
# For facts that lead to a welcome: what a killed replica held must come again inside WeCom's 20 seconds.
HASTY_ACK_WAIT_SECONDS = 12.0
# A consumer that is kept busy with less than a full batch rests as long as it worked, up to this: the next batch
# gathers meanwhile, and many small transactions become few larger ones. One that was idle answers at once.
MOST_REST_SECONDS = 0.05

# With a backlog the next batch is decoded and begun while PostgreSQL is at the one before; what it is given meanwhile
# stays below max_ack_pending. Two batches of a durable meet as two replicas do.
MOST_AT_WORK = 2

Handler: TypeAlias = Callable[[Tx, Sequence[Received]], Awaitable[None]]
Delivered: TypeAlias = tuple[Delivery, Received | None]


def _reads_all(message: Any) -> bool:
    return True


@dataclass(frozen=True)
class Durable:
    """One handler and what it is fed. `name` is the durable's name on the server: it never takes another meaning."""

    name: str
    stream: str
    types: tuple[type[Message], ...]
    handle: Handler
    batch: int = 256
    # After this the server gives a fact to another replica; longer than the longest transaction.
    ack_wait_seconds: float = ACK_WAIT_SECONDS
    # Its facts' subjects end in something more than their type (new_fact's subject_suffix).
    suffixed: bool = False
    # A fact that comes twice, or late, changes nothing: such a handler needs no inbox, whose row costs more than most
    # of them write. So it is for projections (chassis.projection), and for what follows only from rows that changed.
    idempotent: bool = False
    # Of a message: False when it says what only a later release has words for (a new kind in a oneof). It is set aside
    # for that one, like a type that is not known.
    reads: Callable[[Any], bool] = _reads_all


async def take(outbox: Outbox, durable: Durable, facts: Sequence[Received]) -> int:
    """One transaction: inbox, effects, new facts. Returns how many of the facts had not been taken before."""
    async with outbox.transaction() as tx:
        fresh = facts if durable.idempotent else await inbox.keep_new(tx.connection, durable.name, facts)
        if fresh:
            await durable.handle(tx, fresh)
    return len(fresh)


class Consumer:
    """Runs one durable until stopped. `after` runs after each commit: it wakes the loops that continue the work."""

    def __init__(
        self,
        durable: Durable,
        js: JetStreamContext,
        outbox: Outbox,
        *,
        replicas: int,
        after: Callable[[], None],
        parking: Parking | None = None,
    ) -> None:
        self.durable = durable
        self.kept = KeptFacts(outbox.pool, durable.name)
        self.later = LaterFacts(outbox.pool, durable.name)
        self._js = js
        self._nats = connection_of(js)
        self._outbox = outbox
        self._replicas = replicas
        self._after = after
        self._types = {type_of(message): message for message in durable.types}
        self._parking = parking or Parking(outbox.pool)
        self._lane = self._parking.lane(durable.name)
        self._batches = Batches(
            durable.name,
            self._commit,
            self._dead_letter,
            corp_of=_corp_of,
            store=self._parking.store,
            stopping=lambda: self._stopping,
        )
        self._stopping = False
        self._running = metrics.CONSUMER_RUNS.labels(durable.name)
        self._pull: Pull | None = None

    @property
    def state(self) -> dict[str, Any]:
        """For people: whether it is fed, and how many corps are parked."""
        return {"running": self._pull is not None and not self._stopping, "parkedCorps": len(self._lane.parked)}

    def is_parked(self, corp_id: str) -> bool:
        return corp_id in self._lane.parked

    async def declare(self) -> None:
        """Creates the durable, or brings it up to this release (chassis.durables.declare)."""
        end = ".>" if self.durable.suffixed else ""
        await durables.declare(
            self._js,
            self.durable.stream,
            self.durable.name,
            [subject_of(message) + end for message in self.durable.types],
            ack_wait_seconds=self.durable.ack_wait_seconds,
            max_ack_pending=2 * self.durable.batch * max(1, self._replicas),
        )

    async def run(self) -> None:
        """Returns when stopped. Raises when NATS is away: whoever runs it begins anew."""
        await self.declare()
        pull = Pull(self._js, self.durable.stream, self.durable.name, self.durable.batch)
        await pull.open()
        self._pull = pull
        self._running.set(1)
        at_work: set[asyncio.Task[None]] = set()
        try:
            while not self._stopping:
                messages = await pull.next_batch()
                if not messages:
                    continue
                if self._stopping:
                    await give_back(messages)
                    break
                began = time.monotonic()
                at_work.add(asyncio.create_task(self._work(messages)))
                at_work = await _until_fewer(at_work, MOST_AT_WORK if self._may_overlap(messages) else 1)
                if not at_work and pull.waiting() < self.durable.batch:
                    await asyncio.sleep(min(time.monotonic() - began, MOST_REST_SECONDS))
            await _until_fewer(at_work, 1)
        finally:
            for task in at_work:
                task.cancel()
            if at_work:
                await asyncio.wait(at_work)
            self._pull = None
            self._running.set(0)
            await pull.close()

    def _may_overlap(self, messages: Sequence[Msg]) -> bool:
        """What is kept of a parked corp is kept in its order, so there one batch waits for the other."""
        return len(messages) == self.durable.batch and not self._lane.parked

    async def _work(self, messages: Sequence[Msg]) -> None:
        beat = asyncio.create_task(keep_alive(messages, self.durable.ack_wait_seconds / 3))
        try:
            await self._take(messages)
        finally:
            beat.cancel()
            await give_back(messages)

    async def stop(self) -> None:
        self._stopping = True
        if self._pull is not None:
            self._pull.interrupt()

    async def handle_released(self) -> int:
        """Handles what was kept for corps that were released, in order of arrival; returns how many facts."""
        done = 0
        for corp_id in sorted(self._lane.released):
            after = 0
            while not self._stopping and corp_id in self._lane.released:
                page = await self.kept.page(corp_id, after)
                if not page:
                    await self.kept.finish(corp_id)
                    break
                after = page[-1].position
                await self._take(page)
                await self.kept.forget(page)
                done += len(page)
            if self._stopping:
                await self.kept.let_go(corp_id)
        return done

    async def handle_later(self) -> int:
        """Handles what an older release set aside and this one reads; returns how many facts."""
        return await self.later.handle(self._read, self._take, stopping=lambda: self._stopping)

    def _read(self, message: Delivery) -> Received:
        """Raises TypeUnknown for what only another release reads; Invalid for what is broken."""
        fact = decode(self._types, message.subject, message.headers or {}, message.data)
        if not self.durable.reads(fact.message):
            raise TypeUnknown(fact.type, "what this release has words for")
        return fact

    async def _take(self, messages: Sequence[Delivery]) -> None:
        started, cpu = time.perf_counter(), time.thread_time()
        self._lane.begin()
        facts: list[Delivered] = []
        unread: list[tuple[Delivery, TypeUnknown]] = []
        for message in messages:
            if (message.headers or {}).get(FOR_DURABLE, self.durable.name) != self.durable.name:
                await message.ack()
                continue
            try:
                facts.append((message, self._read(message)))
            except TypeUnknown as error:
                unread.append((message, error))
            except Invalid as error:
                await self._batches.give_up((message, None), error)
        if unread:
            await self.later.set_aside(unread)
        # By corp, so that halving soon leaves a bad corp alone with itself.
        taken = await self._batches.settle(sorted(facts, key=_corp_of)) if facts else 0
        metrics.BATCH_SECONDS.labels(self.durable.name).observe(time.perf_counter() - started)
        metrics.FACTS.labels(self.durable.name).inc(taken)
        log.info(
            "batch",
            durable=self.durable.name,
            facts=len(messages),
            taken=taken,
            ms=round((time.perf_counter() - started) * 1000, 1),
            cpu_ms=round((time.thread_time() - cpu) * 1000, 1),
        )

    async def _commit(self, facts: Sequence[Delivered]) -> int:
        """Handles these facts in one transaction, but for those of parked corps, which are kept; acks all of them."""
        parked = self._lane.parked
        if parked and (aside := [one[0] for one in facts if _corp_of(one) in parked]):
            kept = await self.kept.keep(aside)
            self._lane.parked -= {corp_of(message) for message in aside} - kept  # released meanwhile
            facts = [one for one in facts if _corp_of(one) not in kept]
        taken = 0
        if facts:
            taken = await take(self._outbox, self.durable, [fact for _, fact in facts if fact is not None])
            self._lane.succeeded({_corp_of(one) for one in facts})
            await self._ack([message for message, _ in facts])
            self._after()
        return taken

    async def _ack(self, messages: Sequence[Delivery]) -> None:
        arrived = [message for message in messages if isinstance(message, Msg)]
        await self._nats.ack(arrived)
        if len(arrived) < len(messages):
            for message in messages:
                if not message.is_acked:
                    await message.ack()

    async def _dead_letter(self, item: Delivered, error: Exception) -> None:
        """To the dead letters with its reason, and into the inbox, so that a re-delivery does not keep it twice."""
        message, _ = item
        corp_id, headers = corp_of(message), message.headers or {}
        if corp_id in self._lane.parked and corp_id in await self.kept.keep([message]):
            return
        reason, detail, fallback = reason_of(error), detail_of(error), position_of(message)
        async with self._outbox.pool.acquire() as connection, connection.transaction():
            await inbox.keep(connection, self.durable.name, corp_id, dead_letters.fact_id(headers, fallback))
            await dead_letters.add(
                connection,
                self.durable.name,
                message.subject,
                headers,
                message.data,
                reason=reason,
                detail=detail,
                fallback_id=fallback,
            )
        metrics.DEAD_LETTERS.labels(self.durable.name, reason).inc()
        log.error("dead_letter", durable=self.durable.name, reason=reason, headers=json.dumps(headers))
        await message.ack()
        await self._parking.poisoned(self._lane, corp_id, reason=reason, detail=detail)


async def _until_fewer(tasks: set[asyncio.Task[None]], count: int) -> set[asyncio.Task[None]]:
    """Waits until fewer than `count` tasks run, and returns those. Raises what one of them raised."""
    while len(tasks) >= count:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    return tasks


def _corp_of(item: Delivered) -> str:
    message, fact = item
    return fact.corp_id if fact is not None else corp_of(message)
