"""Idempotency-Key: a create that is asked for again, at two gateways at once, or after a crash, is made once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest_asyncio

from deploy.local.client import Client
from deploy.local.story import sign_in_patiently
from tests.faults.campaign import Field
from tests.waiting import until

PATH = "/api/v1/channels"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(ground: Field) -> AsyncIterator[Client]:
    async with Client(ground.suite, ground.suite.home.corps[-1]["corp_id"]) as signed_in:
        await sign_in_patiently(signed_in)
        yield signed_in


async def connect(ground: Field) -> Any:
    url = ground.suite.home.postgres_url(ground.suite.ports, "acquisition")
    return await asyncpg.connect(url, server_settings={"search_path": "acquisition"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(ground: Field) -> AsyncIterator[Any]:
    connection = await connect(ground)
    yield connection
    await connection.close()


async def create(
    ground: Field, client: Client, key: str, name: str, *, at: int = 0, path: str = PATH
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {client.token}", "Idempotency-Key": key}
    async with client.session.post(ground.suite.gateways[at] + path, json={"name": name}, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def channels_named(client: Client, name: str) -> int:
    listed = await client.get(PATH, pageSize="200")
    return sum(one["name"] == name for one in listed["channels"])


async def test_the_same_key_gives_the_same_answer(ground: Field, client: Client, database: Any) -> None:
    status, first = await create(ground, client, "k-same", "同一个")
    assert status == 200
    assert await create(ground, client, "k-same", "同一个", at=1) == (200, first)
    status, problem = await create(ground, client, "k-same", "另一个")
    assert (status, problem["reason"], problem["field"]) == (422, "IDEMPOTENCY_KEY_REUSED", "Idempotency-Key")
    assert await channels_named(client, "同一个") == 1
    assert await channels_named(client, "另一个") == 0
    stored = await database.fetchval("select sealed_answer from idempotent_requests where key = 'k-same'")
    assert first["channel"]["channelId"].encode() not in stored
    status, problem = await create(ground, client, "ключ", "x")
    assert (status, problem["reason"]) == (400, "IDEMPOTENCY_KEY_WRONG")
    status, problem = await create(ground, client, "k" * 201, "x")
    assert (status, problem["reason"]) == (400, "IDEMPOTENCY_KEY_WRONG")


async def test_a_secret_is_answered_again_and_kept_sealed(ground: Field, client: Client) -> None:
    path = "/api/v1/api-keys"
    status, first = await create(ground, client, "k-secret", "again", path=path)
    assert status == 200
    assert await create(ground, client, "k-secret", "again", at=1, path=path) == (200, first)
    assert sum(one["name"] == "again" for one in (await client.get(path))["apiKeys"]) == 1


async def test_a_refused_create_keeps_no_key(ground: Field, client: Client) -> None:
    assert (await create(ground, client, "k-first", "忙"))[0] == 200
    assert (await create(ground, client, "k-refused", "忙"))[0] == 409
    assert (await create(ground, client, "k-refused", "闲"))[0] == 200


async def test_two_gateways_at_once_make_one(ground: Field, client: Client) -> None:
    answers = await asyncio.gather(*(create(ground, client, "k-race", "抢", at=n % 2) for n in range(24)))
    assert set(Counter(status for status, _ in answers)) <= {200, 409}
    made = {answer["channel"]["channelId"] for status, answer in answers if status == 200}
    assert len(made) == 1
    assert {answer["reason"] for status, answer in answers if status == 409} <= {"IDEMPOTENCY_KEY_IN_USE"}
    assert await channels_named(client, "抢") == 1


async def test_in_flight_is_told_and_a_crash_leaves_no_stuck_key(ground: Field, client: Client, database: Any) -> None:
    other = await connect(ground)
    blocker = other.transaction()
    await blocker.start()
    await other.execute("lock table channels in share mode")  # the create reaches its insert and waits
    first = asyncio.create_task(create(ground, client, "k-crash", "半途"))

    async def waits() -> int | None:
        pid: int | None = await database.fetchval(
            "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%into channels%'"
        )
        return pid

    pid = await until(waits)
    status, problem = await create(ground, client, "k-crash", "半途", at=1)
    assert (status, problem["reason"]) == (409, "IDEMPOTENCY_KEY_IN_USE")
    # The connection dies as it would with its process.
    await database.fetchval("select pg_terminate_backend($1)", pid)
    status, problem = await first
    assert status == 503, problem
    await blocker.rollback()
    await other.close()
    status, made = await create(ground, client, "k-crash", "半途")
    assert status == 200
    assert await create(ground, client, "k-crash", "半途", at=1) == (200, made)
    assert await channels_named(client, "半途") == 1
