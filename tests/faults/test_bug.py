"""A bug in a handler, with which every fact fails: the process says that it is unready and takes nothing more; nothing
is lost, and once it is mended everything takes effect."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from chassis.consumer import POISONS_IN_A_ROW
from deploy.local.client import Client
from deploy.local.story import sign_in_patiently
from tests.faults.campaign import Field
from tests.waiting import until


@pytest.mark.timeout(150)
async def test_a_process_with_a_bug_stops_taking_facts_and_loses_none(ground: Field) -> None:
    suite = ground.suite
    replicas = suite.names("commerce")
    database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "postgres"))
    async with Client(suite, suite.home.corps[-3]["corp_id"]) as client:
        await sign_in_patiently(client)
        scanned = {"corp_id": client.corp_id, "userid": "guide_007", "person": "a patient buyer"}
        friend = await client.sandbox("/sandbox/scan", scanned)
        await client.drained(60)
        placed: list[str] = []

        async def order() -> None:
            body = {"corp_id": client.corp_id, "external_userid": friend["external_userid"], "yuan": "9.90"}
            placed.append((await client.sandbox("/sandbox/order", body))["order_id"])

        async def readiness() -> list[int]:
            found = []
            for number in range(len(replicas)):
                address = f"http://127.0.0.1:{suite.ports.replica(number).web('commerce')}/readyz"
                async with client.session.get(address) as answer:
                    found.append(answer.status)
            return found

        async def ordered_until_none_is_ready() -> bool:
            await order()
            return await readiness() == [503, 503]

        # What the handler writes to is not there: to it that is as if its own code were wrong.
        await database.execute("alter table commerce.order_lines rename to order_lines_away")
        try:
            await until(ordered_until_none_is_ready, seconds=40)
            for _ in range(5):
                await order()
        finally:
            await database.execute("alter table commerce.order_lines_away rename to order_lines")
            await database.close()
        letters = (await client.get("/api/v1/services/commerce/dead-letters", pageSize="200"))["deadLetters"]
        assert 0 < len(letters) < POISONS_IN_A_ROW * len(replicas)
        assert {one["reason"] for one in letters} == {"UndefinedTableError"}

        for name in replicas:  # mended, and rolled out
            await asyncio.to_thread(suite.stop, name)
            await asyncio.to_thread(suite.start, name)
        assert await readiness() == [200, 200]
        replayed = await client.post("/api/v1/services/commerce/dead-letters:replay", {})
        assert replayed == {"replayed": str(len(letters))}
        await client.drained(90)

        for order_id in placed:
            shown = (await client.get(f"/api/v1/malls/yz-main/orders/{order_id}"))["order"]
            paid = (shown["status"], shown["paid"]["amount"], shown["userid"])
            assert paid == ("ORDER_STATUS_PAID", "990", friend["userid"])
        assert (await client.get("/api/v1/services/commerce/dead-letters"))["deadLetters"] == []
