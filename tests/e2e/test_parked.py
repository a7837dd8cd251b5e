"""A corp whose messages cannot be handled, as operators meet it: parked, listed, released; nobody else notices."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import nats
from bihuan.wecom.v1.facts_pb2 import UnknownEventReceived

from chassis.facts import new_fact
from deploy.local.client import Client
from deploy.local.suite import ROOT, Suite
from tests.waiting import until

PARKED = "/api/v1/services/identity/parked"
LETTERS = "/api/v1/services/identity/dead-letters"
DURABLE = "identity-count-on-unknown-event"


async def publish(suite: Suite, corp_id: str, ids: list[str], payload: bytes) -> None:
    bus = await nats.connect(suite.home.nats_url(suite.ports))
    for fact_id in ids:
        fact = new_fact(UnknownEventReceived(), corp_id=corp_id, source="gateway", fact_id=fact_id)
        await bus.jetstream().publish(fact.subject, payload, headers=fact.headers)
    await bus.close()


async def command(suite: Suite, *arguments: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "chassis.dead_letters", *arguments],
        cwd=ROOT,
        env={**os.environ, **suite.home.environment(suite.ports)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


async def readiness(suite: Suite, client: Client) -> tuple[int, dict[str, Any]]:
    async with client.session.get(f"http://127.0.0.1:{suite.ports.web('identity')}/readyz") as answer:
        return answer.status, await answer.json()


async def test_parked_listed_and_released(suite: Suite, admin: Client, others: Client) -> None:
    broken = [f"parked-{number}" for number in range(14)]
    await publish(suite, others.corp_id, broken, b"\xff\xff")

    async def parked(client: Client) -> list[dict[str, Any]]:
        return list((await client.get(PARKED))["parkedHandlers"])

    (shown,) = await until(lambda: parked(others))
    assert (shown["durable"], shown["reason"]) == (DURABLE, "FACT_UNDECODABLE")
    await others.drained(20)
    assert int((await parked(others))[0]["kept"]) == 4
    assert await parked(admin) == []
    status, body = await readiness(suite, others)
    assert (status, body["ready"], body["consumers"][DURABLE]) == (200, True, {"running": True, "parkedCorps": 1})

    line = json.loads(await command(suite, "parked", "identity", "--corp", others.corp_id))
    assert (line["durable"], line["kept"]) == (DURABLE, 4)
    assert await admin.post(f"{PARKED}:release", {}) == {"released": "0"}
    assert await others.post(f"{PARKED}:release", {"durable": "nobody"}) == {"released": "0"}
    assert await others.post(f"{PARKED}:release", {"durable": DURABLE}) == {"released": "1"}

    async def nobody_is_parked() -> bool:
        return not await parked(others)

    await until(nobody_is_parked)
    assert await command(suite, "release", "identity", DURABLE) == "0 released\n"
    # The four that were kept were as broken as the ten before them.
    letters = (await others.get(LETTERS, pageSize="200"))["deadLetters"]
    assert {one["factId"] for one in letters} >= set(broken)

    assert await admin.post(f"{LETTERS}:give-up", {"factIds": broken}) == {"givenUp": "0"}
    assert await others.post(f"{LETTERS}:give-up", {"factIds": broken}) == {"givenUp": "14"}
    assert not {one["factId"] for one in (await others.get(LETTERS))["deadLetters"]} & set(broken)
    ended = (await others.get(f"{LETTERS}/{DURABLE}/parked-0"))["deadLetter"]
    assert ended["outcome"] == "GIVEN_UP"
