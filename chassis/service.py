"""A service's process: starts in order, tells the truth about its readiness, drains in reverse.

settings → pool → bus → gRPC, consumers, loops → ready
SIGTERM → unready → stop fetching, still answer → finish → outbox → close
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web
from nats.aio.client import Client

from chassis import bus, idempotency, inbox, jobs, later_facts, logs, metrics, scheduled
from chassis.blobs import Blobs
from chassis.consumer import Consumer, Durable
from chassis.effects import MOST_ATTEMPTS, EffectHandler, EffectWorker, OneByOne
from chassis.files import Files
from chassis.idempotency import IdempotentRequests
from chassis.jobs.runner import Members, Runner
from chassis.jobs.worker import JobKind
from chassis.kernel import file_servicer, job_servicer
from chassis.kernel.corps import Corps
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.streams import STREAMS
from chassis.logs import log
from chassis.loops import Loop
from chassis.outbox import Outbox
from chassis.parking import REFRESH_SECONDS, Parking
from chassis.pool import Pool, is_transient, open_pool
from chassis.rpc import Server
from chassis.schema import migrate
from chassis.sealing import Sealer
from chassis.settings import ServiceSettings
from chassis.web import add_health_routes, serve
from chassis.work_queue import QueueHandler, WorkQueue


class Service:
    """What a service's composition root builds on. Everything added before `run` starts is started by it."""

    def __init__(self, name: str, settings: ServiceSettings, pool: Pool, nats: Client) -> None:
        self.name = name
        self.settings = settings
        self.pool = pool
        self.nats = nats
        self.js = nats.jetstream()
        self.corps = Corps.load(settings.corps_file)
        self.sealer = Sealer(settings.data_keys)
        self.identifiers = Identifiers(settings.index_key, self.sealer)
        self.outbox = Outbox(pool, self.js, name)
        self.once = IdempotentRequests(self.outbox, self.sealer, self.identifiers)
        self.server = Server(settings.service_key, settings.grpc_host, settings.grpc_port)
        self.parking = Parking(pool)
        self.files = Files(pool, Blobs(settings.blob_url, name, self.sealer), self.sealer)
        self.consumers: list[Consumer] = []
        self._loops: list[Loop] = []
        self._queues: dict[str, str] = {}
        self._effects: list[EffectWorker] = []
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._ready = False

    def consume(self, *durables: Durable, wakes: tuple[Loop, ...] = ()) -> None:
        """Feeds handlers; after each commit the loops that continue their work are woken."""

        def after() -> None:
            for loop in wakes:
                loop.wake()

        for durable in durables:
            ack_wait_seconds = min(durable.ack_wait_seconds, self.settings.ack_wait_seconds)
            self.consumers.append(
                Consumer(
                    replace(durable, ack_wait_seconds=ack_wait_seconds),
                    self.js,
                    self.outbox,
                    replicas=self.settings.replicas,
                    after=after,
                    parking=self.parking,
                )
            )

    def loop(self, name: str, work: Callable[[], Awaitable[int]], *, interval: float) -> Loop:
        loop = Loop(name, work, interval=interval)
        self._loops.append(loop)
        return loop

    def effect(
        self, kind: str, handler: EffectHandler, *, at_once: int, interval: float, attempts: int | None = MOST_ATTEMPTS
    ) -> Loop:
        """Performs the scheduled jobs of one kind, up to `at_once` calls at a time, drained before the process ends.

        A job whose attempts raise goes to the dead letters after `attempts` in a row; None for work that recurs, which
        is never given up but tried every ten minutes.
        """
        store = self.parking.store
        worker = EffectWorker(self.pool, kind, handler, at_once=at_once, attempts=attempts, store=store)
        self._effects.append(worker)
        return self.loop(kind, worker.work, interval=interval)

    def job(self, kind: str, runner: Runner, members: Members, *, at_once: int = 2, release: int = 1) -> JobKind:
        """Does the jobs of one kind, step by step, up to `at_once` steps at a time, as whoever asked for each."""
        made = JobKind(kind, self.name, runner, members, self.outbox, self.files, self.sealer, release)
        # What keeps failing ends in the job's own state.
        made.wake = self.effect(made.queue, OneByOne(made.perform), at_once=at_once, interval=0.5, attempts=None).wake
        return made

    def work_queue(self, name: str, table: str, handle: QueueHandler, *, key: str, interval: float) -> Loop:
        """Works off a table of ours (chassis.work_queue); it shows in /backlog."""
        queue = WorkQueue(self.outbox, self.parking, name, table, handle, key=key)
        self._queues[name] = table
        return self.loop(name, queue.work, interval=interval)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        self._closing.append(close)

    def serve(self, register: Callable[[Any, Any], None], servicer: Any) -> None:
        self.server.add(register, servicer)

    def is_ready(self) -> bool:
        """Whether this process serves. A durable that gets nowhere is a metric and a line of `health`, no more."""
        return self._ready and self.nats.is_connected

    def health(self) -> dict[str, Any]:
        return {
            "ready": self.is_ready(),
            "consumers": {consumer.durable.name: consumer.state for consumer in self.consumers},
        }

    async def backlog(self) -> dict[str, int]:
        """Rows that still wait: outbox, due rows by kind, facts for a later release, the service's own queues."""
        counts = {"outbox": await self.outbox.waiting()}
        waiting = await self.pool.fetch(
            """
            select kind, count(*) as n
            from due_rows
            where status <> 'done' and due_at < now() + interval '1 minute'
            group by kind
            """
        )
        counts |= {row["kind"]: row["n"] for row in waiting}
        counts["later-facts"] = await self.pool.fetchval("select count(*) from later_facts")
        for name, table in self._queues.items():
            counts[name] = await self.pool.fetchval(f"select count(*) from {table}")
        for what, count in counts.items():
            metrics.BACKLOG.labels(what).set(count)
        return counts

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

        self.loop("outbox-delete", self.outbox.delete_published, interval=0.2)
        self.loop("outbox-sweep", self.outbox.sweep, interval=5)
        inbox_days = timedelta(days=self.settings.inbox_days)
        self.loop("inbox-forget", lambda: inbox.forget_old(self.pool, self.js, inbox_days), interval=3600)
        self.loop("parking", self.parking.refresh, interval=REFRESH_SECONDS)
        # Each by itself: what was kept for one may take long, or meet an outage of its own.
        for consumer in self.consumers:
            self.loop(f"{consumer.durable.name}-released", consumer.handle_released, interval=REFRESH_SECONDS)
        self.loop("later-facts", self._handle_later, interval=REFRESH_SECONDS)
        self.loop("due-forget", lambda: scheduled.forget_done(self.pool), interval=3600)
        self.loop("files-sweep", self.files.sweep, interval=60)
        self.loop("jobs-forget", lambda: jobs.forget_old(self.pool), interval=3600)
        self.serve(job_servicer.register, job_servicer.JobServicer(self.name, self.outbox))
        self.serve(file_servicer.register, file_servicer.FileServicer(self.name, self.files))
        self.loop("idempotency-forget", lambda: idempotency.forget_old(self.pool), interval=3600)

        app = web.Application()
        add_health_routes(app, self.health, self.backlog)
        side_app = await serve(app, self.settings.web_host, self.settings.web_port)
        await patiently("parking", self.parking.refresh)
        await self.server.start()
        loops = [asyncio.create_task(one.run(), name=one.name) for one in self._loops]
        consumers = [asyncio.create_task(_supervise(one), name=one.durable.name) for one in self.consumers]
        self._ready = True
        watch = asyncio.create_task(self._tell_readiness())
        log.info("started", grpc_port=self.server.port)

        await stop.wait()
        log.info("draining")
        self._ready = False
        watch.cancel()
        await self.server.set_ready(False)
        for consumer in self.consumers:
            await consumer.stop()
        # Meanwhile it answers whoever has not yet seen that it is no longer ready.
        still_open = asyncio.create_task(asyncio.sleep(self.settings.drain_seconds))
        await _finish(consumers, seconds=12)
        await still_open
        await self.server.stop()
        for one in self._loops:
            one.stop()
        await _finish(loops, seconds=8)
        for worker in self._effects:
            await worker.drain()
        await self.outbox.drain()
        for close in reversed(self._closing):
            await close()
        await side_app.cleanup()
        await self.nats.close()
        await asyncio.wait_for(self.pool.close(), 5)
        log.info("stopped")

    async def _handle_later(self) -> int:
        consumers = {consumer.durable.name: consumer for consumer in self.consumers}
        names = await later_facts.waiting(self.pool, sorted(consumers))
        return sum(await asyncio.gather(*(consumers[name].handle_later() for name in names)))

    async def _tell_readiness(self) -> None:
        while True:
            await self.server.set_ready(self.is_ready())
            await asyncio.sleep(0.5)


async def _supervise(consumer: Consumer) -> None:
    """A consumer ends only when it was stopped; whatever else ends it, it begins anew."""
    while True:
        try:
            await consumer.run()
            return
        except asyncio.CancelledError:
            return
        except Exception as error:
            log.warning("consumer_restarts", durable=consumer.durable.name, error=repr(error))
            await asyncio.sleep(1)


async def _finish(tasks: list[asyncio.Task[None]], *, seconds: float) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        log.warning("drain_cut", task=task.get_name())
        task.cancel()


async def patiently(what: str, attempt: Callable[[], Awaitable[Any]]) -> Any:
    """Repeats `attempt` while what it needs is away; a wrong password or a broken migration is raised at once."""
    while True:
        try:
            return await attempt()
        except Exception as error:
            if not is_transient(error) and "nats" not in type(error).__module__:
                raise
            log.warning("start_waits", what=what, error=repr(error))
            await asyncio.sleep(0.5)


def run(name: str, settings: ServiceSettings, migrations: Path, build: Callable[[Service], Awaitable[None]]) -> None:
    """Runs a service until SIGTERM. `build` is its composition root."""
    logs.configure(name, settings.log_level)

    async def main() -> None:
        await patiently("migrations", lambda: migrate(settings.database_url, name, migrations))
        pool = await patiently("postgres", lambda: open_pool(settings.database_url, name, size=settings.pool_size))
        nats = await patiently("nats", lambda: bus.connect(settings.nats_url, name))
        await patiently("streams", lambda: bus.declare_streams(nats.jetstream(), STREAMS, settings.stream_replicas))
        service = Service(name, settings, pool, nats)
        await build(service)
        await service.run()

    uvloop.run(main())
