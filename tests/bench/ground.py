"""PostgreSQL and NATS alone, and services' databases on them, for rows of handlers without their processes."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from nats.js import JetStreamContext

from chassis import bus
from chassis.consumer import Consumer, Durable
from chassis.kernel.streams import STREAMS
from chassis.outbox import Outbox
from chassis.pool import Pool, open_pool
from chassis.schema import migrate
from deploy.local import nats as local_nats
from deploy.local import postgres as local_postgres
from deploy.local.suite import ROOT
from tests.conftest import free_port

POOL = 8


@dataclass(frozen=True)
class Ground:
    postgres: str
    nats: str


@contextmanager
def servers() -> Iterator[Ground]:
    """The settings of `make run`: everything is flushed before it is acknowledged."""
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        home = Path(folder)
        port, nats_port = free_port(), free_port()
        local_postgres.create(home / "postgres", "secret")
        database = local_postgres.start(home / "postgres", port, home / "postgres.log")
        broker = local_nats.start(home / "nats", nats_port, free_port(), "secret", home / "nats.log")
        try:
            yield Ground(
                f"postgresql://postgres:secret@127.0.0.1:{port}", f"nats://bihuan:secret@127.0.0.1:{nats_port}"
            )
        finally:
            broker.terminate()
            database.send_signal(2)
            broker.wait(10)
            database.wait(20)


@asynccontextmanager
async def service_pool(ground: Ground, service: str) -> AsyncIterator[Pool]:
    """An empty database of the service, dropped afterwards."""
    admin = await asyncpg.connect(f"{ground.postgres}/postgres")
    name = f"bench_{service}_{time.monotonic_ns()}"
    await admin.execute(f"create database {name}")
    await migrate(f"{ground.postgres}/{name}", service, ROOT / service / "migrations")
    pool = await open_pool(f"{ground.postgres}/{name}", service, size=POOL)
    try:
        yield pool
    finally:
        await pool.close()
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


@asynccontextmanager
async def jetstream(ground: Ground) -> AsyncIterator[JetStreamContext]:
    """All streams, empty."""
    connection = await bus.connect(ground.nats, "bench")
    js = connection.jetstream()
    await bus.declare_streams(js, STREAMS, 1)
    for name in STREAMS:
        await js.purge_stream(name)
    try:
        yield js
    finally:
        await connection.close()


@asynccontextmanager
async def consuming(js: JetStreamContext, outboxes: dict[Durable, Outbox]) -> AsyncIterator[list[Consumer]]:
    """The durables at work, as in their processes; what is published is removed from the outboxes beside."""
    consumers = [Consumer(one, js, outbox, replicas=1, after=lambda: None) for one, outbox in outboxes.items()]

    async def sweep() -> None:
        while True:
            await asyncio.sleep(0.2)
            for outbox in set(outboxes.values()):
                while await outbox.delete_published():
                    pass

    async with AsyncExitStack() as stack:
        tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
        tasks.append(asyncio.create_task(sweep()))
        stack.callback(lambda: [task.cancel() for task in tasks])
        try:
            yield consumers
        finally:
            for consumer in consumers:
                await consumer.stop()
            await asyncio.wait(tasks[:-1], timeout=10)
            for consumer in consumers:
                await js.delete_consumer(consumer.durable.stream, consumer.durable.name)


async def seconds_until(done: Callable[[], Awaitable[bool]], since: float, *, give_up: float = 300.0) -> float:
    while not await done():
        if time.monotonic() - since > give_up:
            raise TimeoutError("the row did not finish")
        await asyncio.sleep(0.02)
    return time.monotonic() - since
