"""The batch loop: fetch, decode, one transaction with inbox and effects, commit, ack (rules 1 to 3 of the design)."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from chassis import dead_letters, durables, inbox, metrics
from chassis.errors import DomainError, Invalid
from chassis.facts import FOR_DURABLE, Received, TypeUnknown, decode, subject_of, type_of
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.pool import is_transient
from chassis.pull import Pull

ACK_WAIT_SECONDS = 30.0
# For facts that lead to a welcome: what a killed replica held must come again inside WeCom's 20 seconds.
HASTY_ACK_WAIT_SECONDS = 12.0
POISONS_IN_A_ROW = 10
# A fact that only another release reads is offered again after this, and named in the log once in a minute.
UNKNOWN_TYPE_SECONDS = 5.0
UNKNOWN_TYPE_LOG_SECONDS = 60.0
# A consumer that is kept busy with less than a full batch rests as long as it worked, up to this: the next batch
# gathers meanwhile, and many small transactions become few larger ones. One that was idle answers at once.
MOST_REST_SECONDS = 0.05

Handler: TypeAlias = Callable[[Tx, Sequence[Received]], Awaitable[None]]


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
        self, durable: Durable, js: JetStreamContext, outbox: Outbox, *, replicas: int, after: Callable[[], None]
    ) -> None:
        self.durable = durable
        self.healthy = True
        self._js = js
        self._outbox = outbox
        self._replicas = replicas
        self._after = after
        self._types = {type_of(message): message for message in durable.types}
        self._name_at: dict[str, float] = {}
        self._poisons = 0
        self._stopping = False
        self._pull: Pull | None = None

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
        """Returns when stopped, or when ten poisons in a row mean that the handler itself is broken."""
        await self.declare()
        self._pull = Pull(self._js, self.durable.stream, self.durable.name, self.durable.batch)
        await self._pull.open()
        try:
            while not self._stopping:
                messages = await self._pull.next_batch()
                if not messages:
                    continue
                if self._stopping:
                    await _give_back(messages)
                    break
                began = time.monotonic()
                beat = asyncio.create_task(_keep_alive(messages, self.durable.ack_wait_seconds / 3))
                try:
                    await self._take(messages)
                finally:
                    beat.cancel()
                    await _give_back(messages)
                if self._pull.waiting() < self.durable.batch:
                    await asyncio.sleep(min(time.monotonic() - began, MOST_REST_SECONDS))
                if self._poisons >= POISONS_IN_A_ROW:
                    self.healthy = False
                    log.error("consumer_stopped", durable=self.durable.name, poisons_in_a_row=self._poisons)
                    return
        finally:
            await self._pull.close()

    async def stop(self) -> None:
        self._stopping = True
        if self._pull is not None:
            self._pull.interrupt()

    async def _take(self, messages: list[Msg]) -> None:
        started, cpu = time.perf_counter(), time.thread_time()
        facts: list[tuple[Msg, Received]] = []
        for message in messages:
            if (message.headers or {}).get(FOR_DURABLE, self.durable.name) != self.durable.name:
                await message.ack()
                continue
            try:
                facts.append((message, decode(self._types, message.subject, message.headers or {}, message.data)))
            except TypeUnknown as error:
                await self._leave(message, error)
            except Invalid as error:
                await self._bury(message, error)
        taken = await self._settle(facts) if facts else 0
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

    async def _leave(self, message: Msg, error: TypeUnknown) -> None:
        """Gives back what only another release reads: it waits on the server until that one runs."""
        metrics.UNKNOWN_TYPES.labels(self.durable.name, error.type_name).inc()
        now = time.monotonic()
        if now >= self._name_at.get(error.type_name, 0.0):
            self._name_at[error.type_name] = now + UNKNOWN_TYPE_LOG_SECONDS
            log.warning("fact_of_unknown_type", durable=self.durable.name, type=error.type_name)
        await message.nak(delay=UNKNOWN_TYPE_SECONDS * (0.5 + random.random()))

    async def _settle(self, facts: list[tuple[Msg, Received]]) -> int:
        """Gets all of them committed or buried, however long an outage takes; returns how many were new."""
        pause = 0.1
        while True:
            try:
                taken = await take(self._outbox, self.durable, [fact for _, fact in facts])
                break
            except Exception as error:
                if self._stopping:
                    raise asyncio.CancelledError from error  # unacked: they come again
                if is_transient(error):
                    log.warning("batch_outage", durable=self.durable.name, facts=len(facts), error=repr(error))
                    await asyncio.sleep(pause * (1 + random.random()))
                    pause = min(pause * 2, 5.0)
                elif len(facts) == 1:
                    await self._bury(facts[0][0], error)
                    return 0
                elif self._poisons >= POISONS_IN_A_ROW:
                    return 0  # unacked: nothing is lost while the bug is being mended
                else:
                    middle = len(facts) // 2
                    return await self._settle(facts[:middle]) + await self._settle(facts[middle:])
        self._poisons = 0
        for message, _ in facts:
            await message.ack()
        self._after()
        return taken

    async def _bury(self, message: Msg, error: Exception) -> None:
        """To the dead letters with its reason; repeated through an outage like any other write."""
        if self._poisons + 1 >= POISONS_IN_A_ROW:
            self._poisons += 1
            return  # unacked: the consumer is about to stop itself
        reason = error.reason if isinstance(error, DomainError) else type(error).__name__
        pause = 0.1
        while True:
            try:
                await dead_letters.add(
                    self._outbox.pool,
                    self.durable.name,
                    message.subject,
                    message.headers or {},
                    message.data,
                    reason=reason,
                    detail=_safe_detail(error),
                )
                break
            except Exception as outage:
                if not is_transient(outage):
                    raise
                await asyncio.sleep(pause * (1 + random.random()))
                pause = min(pause * 2, 5.0)
        self._poisons += 1
        metrics.DEAD_LETTERS.labels(self.durable.name, reason).inc()
        log.error("dead_letter", durable=self.durable.name, reason=reason, headers=json.dumps(message.headers or {}))
        await message.ack()


def _safe_detail(error: Exception) -> str:
    """What went wrong, without the values of a row: PostgreSQL puts them into its detail line."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__}: {error.args[0] if error.args else ''}"
    return repr(error)


async def _give_back(messages: list[Msg]) -> None:
    """What was neither committed nor buried goes to another replica at once, not when its ack wait is over."""
    with suppress(NatsError):  # without a connection the server notices by itself
        for message in messages:
            if not message.is_acked:
                await message.nak()


async def _keep_alive(messages: list[Msg], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        for message in messages:
            if not message.is_acked:
                await message.in_progress()
