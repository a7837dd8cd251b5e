"""The chassis on real servers: due rows, migrations, database roles, tokens, budgets."""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.js import JetStreamContext

from chassis import publishing, scheduled
from chassis.effects import EffectWorker
from chassis.errors import Unavailable
from chassis.facts import Fact, new_fact
from chassis.kernel.identifiers import Identifiers
from chassis.outbox import Outbox
from chassis.pool import open_pool
from chassis.schema import CHASSIS, migrate, read_folder
from chassis.sealing import Sealer
from chassis.shared_token import SharedToken
from chassis.wecom import budget
from deploy.local import postgres as local_postgres
from deploy.local.home import SERVICES
from identity.app.staff import Department, Member, Staff
from tests import facts as f
from tests.conftest import CORP, ROOT, Room, Servers

Rooms = Callable[[str], Any]


class Calls:
    """A handler that records; `lost` calls never settle, as after a crash."""

    def __init__(self, room: Room, lost: int = 0) -> None:
        self.made: list[tuple[str, int]] = []
        self._room, self._lost = room, lost

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> Sequence[scheduled.Claim]:
        return claims

    async def call(self, item: scheduled.Claim) -> scheduled.Claim:
        self.made.append((item.key, item.attempts))
        if len(self.made) <= self._lost:
            raise RuntimeError("the process died here")
        return item

    async def settle(self, outcomes: Sequence[scheduled.Claim]) -> None:
        async with self._room.pool.acquire() as connection:
            await scheduled.finish(connection, "test", [(claim, "ok") for claim in outcomes])


async def test_an_effect_happens_once_and_again_only_after_its_lease(rooms: Rooms) -> None:
    now = datetime.now(UTC)
    async with rooms("identity") as room:
        calls = Calls(room, lost=1)
        effects = EffectWorker(room.pool, "test", calls, at_once=4)
        async with room.pool.acquire() as connection:
            for _ in range(2):
                await scheduled.schedule_once(
                    connection,
                    "test",
                    [scheduled.Job(CORP, "a", now), scheduled.Job(CORP, "b", now)],
                )
        assert await effects.work() == 2
        await effects.drain()
        assert await effects.work() == 0, "the lost one waits a while"
        await room.pool.execute("update due_rows set due_at = now() where status <> 'done'")
        assert await effects.work() == 1
        await effects.drain()
        assert sorted(calls.made) == [("a", 1), ("a", 2), ("b", 1)] or sorted(calls.made) == [
            ("a", 1),
            ("b", 1),
            ("b", 2),
        ]
        assert {row["status"] for row in await room.rows("select status from due_rows")} == {"done"}


async def test_work_that_is_asked_for_while_it_is_done_is_done_again(rooms: Rooms) -> None:
    now = datetime.now(UTC)
    async with rooms("identity") as room, room.pool.acquire() as connection:
        await scheduled.schedule_again(connection, "test", [scheduled.Job(CORP, "a", now)])
        (claim,) = await scheduled.claim(room.pool, "test", 10)
        await scheduled.schedule_again(connection, "test", [scheduled.Job(CORP, "a", now)])
        assert await scheduled.claim(room.pool, "test", 10) == [], "one worker at a time"
        await scheduled.finish(connection, "test", [(claim, "old")])
        (again,) = await scheduled.claim(room.pool, "test", 10)
        assert again.generation == claim.generation + 1
        later = datetime.now(UTC) + timedelta(hours=1)
        await scheduled.postpone(connection, "test", [(again, later)])
        assert await scheduled.claim(room.pool, "test", 10) == []


async def test_replicas_migrate_once_and_an_edited_file_is_refused(servers: Servers, tmp_path: Path) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute("create database migrating")
    await admin.close()
    url = servers.url("migrating")
    (tmp_path / "0001_create_things.sql").write_text("create table things (id int);")
    applied = await asyncio.gather(*(migrate(url, "things", tmp_path) for _ in range(3)))
    assert sorted(map(len, applied)) == [0, 0, len(read_folder(CHASSIS)) + 1]
    (tmp_path / "0001_create_things.sql").write_text("create table things (id bigint);")
    with pytest.raises(ValueError, match="edited"):
        await migrate(url, "things", tmp_path)
    (tmp_path / "0003_skip.sql").write_text("select 1")
    with pytest.raises(ValueError, match="expected number 0002"):
        await migrate(url, "things", tmp_path)


async def test_staff_of_the_first_release_are_read_anew_after_an_upgrade(
    servers: Servers, jetstream: JetStreamContext, sealer: Sealer, identifiers: Identifiers, tmp_path: Path
) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute("create database upgrading")
    await admin.close()
    url, first = servers.url("upgrading"), tmp_path / "first"
    first.mkdir()
    shutil.copy(ROOT / "identity/migrations/0001_create_identity.sql", first)
    await migrate(url, "identity", first)
    pool = await open_pool(url, "identity", size=2)
    await pool.execute(
        "insert into staff values ($1, 'anna', $2, 'old', '{2}', true, 7)", CORP, sealer.seal(CORP, "安娜")
    )
    await migrate(url, "identity", ROOT / "identity/migrations")
    outbox = Outbox(pool, jetstream, "identity")
    staff = Staff(outbox, Book(), sealer, identifiers, timedelta(hours=1))
    assert await staff.read_book(CORP) == 1
    row = await pool.fetchrow("select * from staff")
    assert row is not None
    assert (row["version"], row["within_department_ids"], row["active"]) == (8, [1, 2], True)
    await outbox.drain()
    await pool.close()


class Book:
    """An address book of one member, in a store under the root."""

    async def departments(self, corp_id: str) -> list[Department]:
        return [Department(1, None, "总部"), Department(2, 1, "门店")]

    async def members(self, corp_id: str, department_ids: Iterable[int]) -> list[Member]:
        return [Member("anna", "安娜", (2,))]

    async def member(self, corp_id: str, userid: str) -> Member | None:
        return Member("anna", "安娜", (2,))


async def test_who_was_frozen_past_the_lease_writes_nothing(rooms: Rooms) -> None:
    """Even when the row has been finished, asked for again and claimed by a third worker meanwhile."""
    now = datetime.now(UTC)
    async with rooms("identity") as room, room.pool.acquire() as connection:
        await scheduled.schedule_again(connection, "test", [scheduled.Job(CORP, "a", now)])
        (frozen,) = await scheduled.claim(room.pool, "test", 1)
        await room.pool.execute("update due_rows set lease_until = now() - interval '1 second'")
        (second,) = await scheduled.claim(room.pool, "test", 1)
        await scheduled.schedule_again(connection, "test", [scheduled.Job(CORP, "a", now)])
        assert await scheduled.finish(connection, "test", [(second, "ok")]) == {(CORP, "a")}
        (third,) = await scheduled.claim(room.pool, "test", 1)
        assert await scheduled.finish(connection, "test", [(frozen, "late")]) == set()
        await scheduled.postpone(connection, "test", [(frozen, now)])
        assert await scheduled.claim(room.pool, "test", 1) == [], "the third still holds it"
        assert await scheduled.finish(connection, "test", [(third, "ok")]) == {(CORP, "a")}


async def test_no_service_can_read_anothers_schema(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute("create database walls")
    await admin.close()
    walls = await asyncpg.connect(servers.url("walls"))
    await local_postgres.create_roles(walls, "secret")
    await walls.close()
    for service in SERVICES:
        own = servers.url("walls").replace("postgres:secret", f"{service}:secret")
        await migrate(own, service, ROOT / service / "migrations")
    for service in SERVICES:
        pool = await open_pool(servers.url("walls").replace("postgres:secret", f"{service}:secret"), service, size=1)
        assert await pool.fetchval("select count(*) from inbox") == 0
        for other in SERVICES:
            if other != service:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await pool.fetchval(f"select count(*) from {other}.inbox")
        await pool.close()


async def test_every_key_begins_with_its_corp(rooms: Rooms) -> None:
    for service in SERVICES:
        async with rooms(service) as room:
            rows = await room.rows(
                """
                select c.conrelid::regclass::text as table, a.attname as first
                from pg_constraint c
                join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
                where c.contype in ('p', 'u', 'f')
                  and c.connamespace = $1::regnamespace
                  and c.conrelid::regclass::text <> 'migrations'
                """,
                service,
            )
            assert rows
            assert {row["first"] for row in rows} == {"corp_id"}, rows


async def test_replicas_share_one_token_refresh(jetstream: JetStreamContext, sealer: Sealer) -> None:
    fetched: list[int] = []

    async def fetch() -> tuple[str, float]:
        fetched.append(1)
        await asyncio.sleep(0.05)
        return f"token{len(fetched)}", 7200.0

    replicas = [SharedToken(jetstream, sealer, CORP, "secret", fetch, bucket="wecom-tokens") for _ in range(5)]
    assert set(await asyncio.gather(*(replica.get() for replica in replicas))) == {"token1"}
    assert len(fetched) == 1
    replicas[0].invalidate("token1")
    replicas[1].invalidate("token1")
    assert set(await asyncio.gather(*(replica.get() for replica in replicas[:2]))) == {"token2"}
    replicas[2].invalidate("token1")
    assert await replicas[0].get() == "token2", "a replica with an old failure must not drop the new token"
    assert len(fetched) == 2


async def test_replicas_share_one_budget_and_a_closed_window(
    jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "CALLS_PER_MINUTE", 25)
    monkeypatch.setattr(budget, "LEASE_CALLS", 10)
    monkeypatch.setattr(budget, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(budget.time, "time", lambda: 1_800_000_000.0)
    one, other = budget.Budget(jetstream, CORP), budget.Budget(jetstream, CORP)
    allowed = [await replica.take("user/get") for _ in range(20) for replica in (one, other)]
    assert sum(allowed) == 25
    assert await one.take("message/send")
    await one.close("message/send")
    assert not await one.take("message/send")
    assert not await other.take("message/send"), "what one was told closes the window for all"
    monkeypatch.setattr(budget.time, "time", lambda: 1_800_000_061.0)
    assert await other.take("message/send")
    assert await other.take("user/get")


async def test_a_fact_that_nobody_keeps_is_not_confirmed(jetstream: JetStreamContext) -> None:
    """At once when no stream takes it, in time when somebody hears it and says nothing; others are not held up."""
    kept = new_fact(f.added(1, "anna", 1), corp_id=CORP, source="tests")
    nowhere = Fact(kept.id, CORP, f"nowhere.{uuid.uuid4()}", kept.headers, kept.payload)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no stream"):
        await publishing.publish(jetstream, nowhere, timeout=5)
    assert time.monotonic() - began < 1

    silent = await jetstream._nc.subscribe(nowhere.subject)
    unheard = asyncio.create_task(publishing.publish(jetstream, nowhere, timeout=0.5))
    await asyncio.gather(*(publishing.publish(jetstream, kept, timeout=5) for _ in range(20)))
    assert not unheard.done()
    with pytest.raises(Unavailable, match="in time"):
        await unheard
    assert time.monotonic() - began < 2
    await silent.unsubscribe()
