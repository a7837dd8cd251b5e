"""Handlers beside bare passes: one of them alone, a whole add through every service, identity under a crowd.

A bare pass fetches a batch, inserts its rows sorted in one statement, commits, publishes one fact for each and acks:
what any handler that loses nothing has to do.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, timedelta
from random import Random
from typing import Any

import uvloop
from bihuan.commerce.v1.facts_pb2 import BuyerIdentified
from bihuan.wecom.v1.facts_pb2 import ContactAdded
from nats.js import JetStreamContext
from uuid_utils import uuid7

from acquisition import consumers as acquisition
from chassis import logs
from chassis.consumer import Consumer, Durable, take
from chassis.facts import Fact, Received, new_fact
from chassis.kernel.identifiers import Identifiers
from chassis.outbox import Outbox
from chassis.pool import Pool, is_transient
from chassis.publishing import publish, publish_until_confirmed
from chassis.pull import Pull
from chassis.sealing import Sealer
from commerce import consumers as commerce
from engagement.consumers import Handlers
from engagement.settings import Settings as EngagementSettings
from identity import consumers as identity
from tests import facts as f
from tests.bench.ground import POOL, Ground, consuming, jetstream, seconds_until, service_pool
from tests.conftest import CORP, KEY
from tests.integration.test_contention import people_talk

FACTS = 12_000
ADDS = 4_000
PEOPLE = 2_000
ROUNDS = 2
BATCH = 256


def handler_pass(ground: Ground) -> dict[str, Any]:
    """acquisition's acquire_on_contact_added: one fact in, one out."""
    return _run(_handler_pass(ground))


def loop(ground: Ground) -> dict[str, Any]:
    """Adds to their durable effect in all four services, all of them in one process, WeCom and mall calls off."""
    return _run(_loop(ground))


def identity_batches(ground: Ground) -> dict[str, Any]:
    """What malls say about people, by eight replicas at once, each fact reaching two of them."""
    return _run(_identity_batches(ground))


def _run(row: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """With every log line written, though to nobody."""
    sys.stdout.flush()
    shown = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            logs.configure("bench", "INFO")
            return uvloop.run(row)
        finally:
            os.dup2(shown, 1)
            os.close(shown)


def adds(count: int, offset: int = 0) -> list[Fact]:
    """Distinct contacts, as the door states them."""
    found = []
    for number in range(offset, offset + count):
        message = f.added(number, f"guide_{number % 200:03d}", number, state="")
        found.append(new_fact(message, corp_id=CORP, source="gateway", fact_id=str(uuid7())))
    return found


async def _fill(js: JetStreamContext, facts: Sequence[Fact]) -> None:
    for start in range(0, len(facts), 500):
        await asyncio.gather(*(publish(js, fact, timeout=20) for fact in facts[start : start + 500]))


async def bare_pass(js: JetStreamContext, pool: Pool, count: int) -> float:
    """Passes over EDGE's facts; items a second."""
    await pool.execute(
        "create table if not exists bare (corp_id text, fact_id text, payload bytea, primary key (corp_id, fact_id))"
    )
    durable = Durable("bench-bare", "EDGE", (ContactAdded,), _nothing, batch=BATCH)
    await Consumer(durable, js, Outbox(pool, js, "bench"), replicas=1, after=lambda: None).declare()
    pull, taken, began = Pull(js, "EDGE", durable.name, BATCH), 0, time.monotonic()
    await pull.open()
    publishing: set[asyncio.Task[Any]] = set()
    while taken < count:
        messages = await pull.next_batch()
        if not messages:
            continue
        rows = sorted((CORP, message.headers["ce-id"], message.data) for message in messages)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "insert into bare select * from unnest($1::text[], $2::text[], $3::bytea[]) on conflict do nothing",
                *zip(*rows, strict=True),
            )
        facts = [
            Fact(
                str(uuid7()), CORP, "evt.bihuan.acquisition.v1.CustomerAcquired", {"Nats-Msg-Id": str(uuid7())}, row[2]
            )
            for row in rows
        ]
        task = asyncio.create_task(publish_until_confirmed(js, facts))
        publishing.add(task)
        task.add_done_callback(publishing.discard)
        for message in messages:
            await message.ack()
        taken += len(messages)
    if publishing:
        await asyncio.wait(publishing)
    rate = count / (time.monotonic() - began)
    await pull.close()
    await js.delete_consumer("EDGE", durable.name)
    return rate


async def _nothing(*_: object) -> None:
    return None


async def _handler_pass(ground: Ground) -> dict[str, Any]:
    ours, ceiling, cpu = 0.0, 0.0, 0.0
    for number in range(ROUNDS):
        async with jetstream(ground) as js, service_pool(ground, "acquisition") as pool:
            await _fill(js, adds(FACTS, number * FACTS))
            ceiling = max(ceiling, await bare_pass(js, pool, FACTS))
            outbox = Outbox(pool, js, "acquisition")

            async def taken(pool: Pool = pool) -> bool:
                return bool(await pool.fetchval("select count(*) from touches") == FACTS)

            began, before = time.monotonic(), time.process_time()
            async with consuming(js, {acquisition.DURABLES[0]: outbox}):
                seconds = await seconds_until(taken, began)
                await outbox.drain()
            cpu = (time.process_time() - before) / FACTS * 1e6
            ours = max(ours, FACTS / seconds)
    return _row("handler pass, acquire_on_contact_added", "facts/s", ours, ceiling, cpu)


async def _loop(ground: Ground) -> dict[str, Any]:
    sealer = Sealer(f"t1:{KEY}")
    identifiers = Identifiers(KEY, sealer)
    environment: dict[str, Any] = dict.fromkeys(("nats_url", "data_keys", "index_key", "database_url"), "x")
    settings = EngagementSettings(**environment, corps_file="x", service_key="x" * 16)
    handlers = Handlers(settings, sealer, identifiers)
    durables = {
        "identity": identity.DURABLES,
        "acquisition": acquisition.DURABLES,
        "engagement": (*handlers.welcome_durables(), *handlers.alert_durables()),
        "commerce": commerce.durables(timedelta()),
    }
    best, ceiling, passes = 0.0, 0.0, 0.0
    cost: dict[str, int] = {}
    for number in range(ROUNDS):
        async with AsyncExitStack() as stack:
            js = await stack.enter_async_context(jetstream(ground))
            pools = {s: await stack.enter_async_context(service_pool(ground, s)) for s in durables}
            await _fill(js, adds(ADDS, number * ADDS))
            ceiling = max(ceiling, await bare_pass(js, pools["acquisition"], ADDS))
            await js.purge_stream("ACQUISITION")
            outboxes = {service: Outbox(pool, js, service) for service, pool in pools.items()}
            running = {one: outboxes[service] for service, own in durables.items() for one in own}

            async def settled(js: JetStreamContext = js, running: Any = running) -> bool:
                infos = [await js.consumer_info(one.stream, one.name) for one in running]
                return not any(info.num_pending or info.num_ack_pending for info in infos)

            before = await _written(pools.values())
            began = time.monotonic()
            async with consuming(js, running):
                await asyncio.sleep(0.5)
                while True:
                    seconds = await seconds_until(settled, began)
                    await asyncio.sleep(0.3)  # what was committed last is perhaps only being published
                    if await settled():
                        break
                given = {one.name: await _given(js, one) for one in running}
                for outbox in outboxes.values():
                    await outbox.drain()
            after = await _written(pools.values())
            cost = {what: round((after[what] - before[what]) / ADDS) for what in after}
            best = max(best, ADDS / seconds)
            passes = sum(given.values()) / ADDS
    row = _row(f"loop, {passes:.0f} passes an add", "adds/s", best, ceiling / passes)
    return {**row, **cost, "all": {"given": {k: n for k, n in given.items() if n}, "bare pass": round(ceiling)}}


async def _given(js: JetStreamContext, durable: Durable) -> int:
    """Facts that the durable was given."""
    info = await js.consumer_info(durable.stream, durable.name)
    return int(info.delivered.consumer_seq) if info.delivered else 0


async def _written(pools: Iterable[Pool]) -> dict[str, int]:
    """Bytes of WAL that the server has written so far, and of disk that the services' databases take."""
    written = {"wal_bytes_per_item": 0, "disk_bytes_per_item": 0}
    for pool in pools:
        written["wal_bytes_per_item"] = await pool.fetchval("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
        written["disk_bytes_per_item"] += await pool.fetchval("select pg_database_size(current_database())")
    return written


async def _identity_batches(ground: Ground) -> dict[str, Any]:
    sealer = Sealer(f"t1:{KEY}")
    random = Random(3)
    talk = people_talk(Identifiers(KEY, sealer), PEOPLE, random)
    facts = []
    for number, message in enumerate(talk):
        fact = new_fact(message, corp_id=CORP, source="commerce", fact_id=f"talk-{number}")
        facts.append(
            Received(fact.id, CORP, fact.headers["ce-type"], message, fact.subject, fact.headers, fact.payload)
        )
    durable = next(one for one in identity.DURABLES if BuyerIdentified in one.types)
    shares: list[list[Received]] = [[] for _ in range(POOL)]
    for one in facts:
        for share in random.sample(shares, 2):
            share.append(one)
    work = sum(len(share) for share in shares)
    ours, ceiling = 0.0, 0.0
    for _ in range(ROUNDS):
        for raw in (True, False):
            async with jetstream(ground) as js, service_pool(ground, "identity") as pool:
                outbox = Outbox(pool, js, "identity")

                async def handle(batch: list[Received], outbox: Outbox = outbox, raw: bool = raw) -> None:
                    await (_raw_upserts(outbox.pool, batch) if raw else take(outbox, durable, batch))

                began = time.monotonic()
                await asyncio.gather(*(_replica(share, handle) for share in shares))
                await outbox.drain()
                rate = work / (time.monotonic() - began)
            if raw:
                ceiling = max(ceiling, rate)
            else:
                ours = max(ours, rate)
    return _row(f"identity batches, {POOL} replicas on {PEOPLE} people", "facts/s", ours, ceiling)


async def _replica(share: Sequence[Received], handle: Callable[[list[Received]], Coroutine[Any, Any, None]]) -> None:
    for start in range(0, len(share), 64):
        while True:
            try:
                await handle(list(share[start : start + 64]))
                break
            except Exception as error:
                if not is_transient(error):
                    raise
                await asyncio.sleep(0.01)


async def _raw_upserts(pool: Pool, batch: Sequence[Received]) -> None:
    """The same identifiers and edges, sorted, in two statements and one transaction; nobody is told apart."""
    names = {one.id: one for fact in batch for one in fact.message.identifiers}
    ids = sorted(names)
    edges = {}
    for fact in batch:
        head, *others = (one.id for one in fact.message.identifiers)
        at = fact.message.at.ToDatetime(UTC)
        edges |= {pair: at for other in others if other != head for pair in ((head, other), (other, head))}
    pairs = sorted(edges)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            insert into identifiers as i (corp_id, identifier_id, kind, sealed)
            select $1, *
            from unnest($2::uuid[], $3::text[], $4::bytea[])
            on conflict (corp_id, identifier_id) do update set sealed = excluded.sealed
            """,
            CORP,
            ids,
            [names[one].kind for one in ids],
            [names[one].sealed for one in ids],
        )
        await connection.execute(
            """
            insert into edges as e (corp_id, from_id, to_id, at, source)
            select $1, a, b, t, 'raw'
            from unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) as x(a, b, t)
            on conflict (corp_id, from_id, to_id) do update set at = least(e.at, excluded.at)
            """,
            CORP,
            [a for a, _ in pairs],
            [b for _, b in pairs],
            [edges[pair] for pair in pairs],
        )


def _row(row: str, unit: str, ours: float, ceiling: float, cpu: float | None = None) -> dict[str, Any]:
    found = {
        "row": row,
        "unit": unit,
        "ours": round(ours),
        "ceiling": round(ceiling),
        "ratio": round(ours / ceiling, 3),
    }
    return found | ({"cpu_us_per_item": round(cpu)} if cpu is not None else {})
