"""Facts leave with their transaction, whoever is killed in between; one row holds all that a transaction states."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.js import JetStreamContext

from chassis.facts import Fact, new_fact
from chassis.outbox_rows import insert
from chassis.schema import migrate
from tests import facts as f
from tests.conftest import CORP, ROOT, Servers
from tests.waiting import until

Rooms = Callable[[str], Any]
WAITS_WITH_THE_INDEX = """
select true
from pg_stat_activity
where datname = current_database()
  and wait_event_type = 'Lock'
  and query like '%index concurrently%'
"""


async def test_facts_leave_with_their_transaction_or_not_at_all(rooms: Rooms, jetstream: JetStreamContext) -> None:
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        with pytest.raises(RuntimeError):
            async with room.outbox.transaction() as tx:
                tx.publish(f.added(1, "anna", 1), corp_id=CORP)
                raise RuntimeError
        async with room.outbox.transaction() as tx:
            tx.publish(f.added(2, "anna", 2), corp_id=CORP)
        await room.outbox.drain()
        assert (await jetstream.stream_info("EDGE")).state.messages == 1
        assert await room.outbox.waiting() == 0


async def test_the_sweeper_publishes_what_a_replica_of_the_release_before_left(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        fact = new_fact(f.added(3, "anna", 3), corp_id=CORP, source="tests")
        await room.pool.execute(
            """
            insert into outbox (corp_id, fact_id, subject, headers, payload, created_at)
            values ($1, $2, $3, $4, $5, now() - interval '1 minute')
            """,
            fact.corp_id,
            fact.id,
            fact.subject,
            json.dumps(fact.headers),
            fact.payload,
        )
        assert await room.outbox.sweep() == 1
        assert await room.outbox.sweep() == 0
        assert (await jetstream.stream_info("EDGE")).state.messages == 1


async def test_the_sweeper_publishes_what_a_crash_left(rooms: Rooms, jetstream: JetStreamContext) -> None:
    """One fact that no stream takes stays behind alone, and holds up nobody."""
    await jetstream.purge_stream("EDGE")
    async with rooms("identity") as room:
        facts = [
            new_fact(f.added(n, "anna", n), corp_id=corp, source="tests") for n in range(4) for corp in (CORP, "wwb")
        ]
        nowhere = Fact(facts[3].id, facts[3].corp_id, "nowhere.at.all", facts[3].headers, facts[3].payload)
        async with room.pool.acquire() as connection, connection.transaction():
            assert len(await insert(connection, [*facts[:3], nowhere, *facts[4:]])) == 2, "one row a corp"
        assert await room.outbox.sweep() == 0, "their own process is publishing them"
        await room.pool.execute("update outbox_batches set created_at = now() - interval '1 minute'")
        assert await room.outbox.sweep() == 7
        assert await room.outbox.sweep() == 0
        (left,) = await room.rows(
            """
            select corp_id, subjects, created_at > now() - interval '9 s' as behind
            from outbox_batches
            """
        )
        assert left == {"corp_id": nowhere.corp_id, "subjects": ["nowhere.at.all"], "behind": True}
        assert await room.outbox.waiting() == 1
        assert (await jetstream.stream_info("EDGE")).state.messages == 7


async def test_a_large_inbox_gets_its_index_while_the_release_before_writes_to_it(
    servers: Servers, tmp_path: Path
) -> None:
    """And what was cut off in the middle is done again, whole."""
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute("create database widening")
    await admin.close()
    url = servers.url("widening")
    await migrate(url, "identity", ROOT / "identity/migrations")
    old = await asyncpg.connect(url, server_settings={"search_path": "identity", "lock_timeout": "1s"})
    late = await asyncpg.connect(url, server_settings={"search_path": "identity", "lock_timeout": "1s"})
    await old.execute("delete from migrations where owner = 'chassis' and name like '0003%'")
    await old.execute("drop index inbox_age")
    with pytest.raises(asyncpg.UniqueViolationError):  # as a build that was cut off leaves it
        await old.execute("insert into inbox values ('a', 'd', '1'), ('a', 'd', '2')")
        await old.execute("create unique index concurrently inbox_age on inbox (corp_id)")
    take = "insert into inbox (corp_id, durable, fact_id) values ('a', 'd', $1)"
    open_one = old.transaction()
    await open_one.start()
    await old.execute(take, "3")
    migrating = asyncio.create_task(migrate(url, "identity", ROOT / "identity/migrations"))

    async def waits() -> Any:
        return await late.fetchval(WAITS_WITH_THE_INDEX)

    await until(waits)
    assert not migrating.done(), "it waits for the transaction that began before it"
    await late.execute(take, "4")
    await open_one.commit()
    assert await asyncio.wait_for(migrating, 20) == ["0003_pack_outbox_and_index_inbox.sql"]
    assert await old.fetchval(
        "select indisvalid and not indisunique from pg_index where indexrelid = 'inbox_age'::regclass"
    )
    await old.close()
    await late.close()
