"""Real servers, started once: PostgreSQL and NATS from their wheels. Each test that asks gets a database of its own."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats
import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, settings

from chassis import bus
from chassis.consumer import Durable, take
from chassis.facts import Received, decode, new_fact, type_of
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.streams import STREAMS
from chassis.outbox import Outbox
from chassis.pool import Pool, open_pool
from chassis.schema import migrate
from chassis.sealing import Sealer
from deploy.local import nats as local_nats
from deploy.local import postgres as local_postgres
from tests.scratch import scratch
from tests.workers import first_port
from tests.workers import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.workers import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler

# The running suite, one for all stories and all pages.
pytest_plugins = ["tests.running"]

ROOT = Path(__file__).resolve().parents[1]
KEY = base64.b64encode(bytes(range(32))).decode()
CORP = "ww00000000000000aa"

# Nothing here outlives the run, so nothing is written to last; and little of it is kept, since it may lie in memory.
FORGETFUL = """
fsync = off
full_page_writes = off
max_wal_size = 256MB
"""

# "house" draws the same inputs every time; "soak" new ones, and more, from a seed that it prints.
PROFILE = os.environ.get("BIHUAN_TEST_PROFILE", "house")
SOAK_FACTOR = 5
_SETTINGS = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("house", derandomize=True, **_SETTINGS)
settings.register_profile("soak", derandomize=False, database=None, max_examples=100 * SOAK_FACTOR, **_SETTINGS)
settings.load_profile(PROFILE)


# structlog's own default shows every exception with the values of all its frames, which takes half a second each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def examples(number: int) -> int:
    """How many inputs a property that is too slow for the profile's own number tries."""
    return number * SOAK_FACTOR if PROFILE == "soak" else number


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A soak is repeated by BIHUAN_TEST_SEED, which every run of it prints."""
    if PROFILE == "soak" and config.getoption("hypothesis_seed") is None:
        config.option.hypothesis_seed = os.environ.get("BIHUAN_TEST_SEED") or str(secrets.randbits(32))


def pytest_sessionstart(session: pytest.Session) -> None:
    if PROFILE == "soak":
        session.config.get_terminal_writer().line(f"BIHUAN_TEST_SEED={session.config.option.hypothesis_seed}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_port_base() -> int:
    """A base whose next ports, those of a second replica included, are free too."""
    for base in itertools.count(first_port(), 40):
        try:
            for port in range(base, base + 36):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise AssertionError


@dataclass(frozen=True)
class Servers:
    admin_url: str
    nats_url: str

    def url(self, database: str) -> str:
        return self.admin_url.rsplit("/", 1)[0] + "/" + database


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    logs = tmp_path_factory.mktemp("servers")
    port, nats_port, monitor = free_port(), free_port(), free_port()
    with scratch(logs) as home:
        local_postgres.create(home / "postgres", "secret")
        with (home / "postgres" / "postgresql.conf").open("a") as conf:
            conf.write(FORGETFUL)
        database = local_postgres.start(home / "postgres", port, logs / "postgres.log")
        broker = local_nats.start(home / "nats", nats_port, monitor, "secret", logs / "nats.log")
        admin = f"postgresql://postgres:secret@127.0.0.1:{port}/postgres"
        yield Servers(admin, f"nats://bihuan:secret@127.0.0.1:{nats_port}")
        broker.terminate()
        database.send_signal(2)
        broker.wait(10)
        database.wait(20)


@pytest.fixture(scope="session")
def sealer() -> Sealer:
    return Sealer(f"t1:{KEY}")


@pytest.fixture(scope="session")
def identifiers(sealer: Sealer) -> Identifiers:
    return Identifiers(KEY, sealer)


class Room:
    """One service's database and its way out: handlers are fed as its consumers feed them."""

    def __init__(self, pool: Pool, outbox: Outbox) -> None:
        self.pool = pool
        self.outbox = outbox

    async def take(self, durable: Durable, facts: list[Received]) -> int:
        return await take(self.outbox, durable, facts)

    async def rows(self, query: str, *arguments: object) -> list[dict[str, object]]:
        return [dict(row) for row in await self.pool.fetch(query, *arguments)]


_names = itertools.count()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def jetstream(servers: Servers) -> AsyncIterator[nats.js.JetStreamContext]:
    connected = await bus.connect(servers.nats_url, "tests")
    js = connected.jetstream()
    await bus.declare_streams(js, STREAMS, 1)
    yield js
    await connected.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rooms(servers: Servers, jetstream: nats.js.JetStreamContext) -> Callable[[str], object]:
    """`async with rooms("identity") as room`: a fresh clone of the service's migrated database."""
    templates: dict[str, Awaitable[None]] = {}

    async def make_template(service: str) -> None:
        admin = await asyncpg.connect(servers.admin_url)
        await admin.execute(f"create database template_{service}")
        await admin.close()
        await migrate(servers.url(f"template_{service}"), service, ROOT / service / "migrations")

    @asynccontextmanager
    async def make(service: str, size: int = 8) -> AsyncIterator[Room]:
        if service not in templates:
            templates[service] = asyncio.ensure_future(make_template(service))
        await templates[service]
        name = f"room_{next(_names)}"
        admin = await asyncpg.connect(servers.admin_url)
        try:
            await admin.execute(f"create database {name} template template_{service}")
            pool = await open_pool(servers.url(name), service, size=size)
            outbox = Outbox(pool, jetstream, service)
            try:
                yield Room(pool, outbox)
            finally:
                await outbox.drain()
                await pool.close()
                await admin.execute(f"drop database {name} with (force)")
        finally:
            await admin.close()

    return make


def received(message: object, fact_id: str, *, corp_id: str = CORP) -> Received:
    """A message as a handler gets it from the wire."""
    fact = new_fact(message, corp_id=corp_id, source="tests", fact_id=fact_id)  # type: ignore[arg-type]
    return decode({type_of(message): type(message)}, fact.subject, fact.headers, fact.payload)  # type: ignore[arg-type,dict-item]
