"""A bug in a handler with which every fact of a corp fails: that corp's facts of that handler wait, the process serves,
the other handlers go on, and once it is mended everything takes effect."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from chassis.parking import POISONS_IN_A_ROW
from deploy.local.client import Client
from deploy.local.story import sign_in_patiently
from tests.faults.campaign import Field
from tests.waiting import until

SERVICE = "/api/v1/services/commerce"


@pytest.mark.timeout(150)
async def test_a_bug_keeps_facts_waiting_and_loses_none(ground: Field) -> None:
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

        async def health() -> list[tuple[int, dict[str, Any]]]:
            found = []
            for number in range(len(replicas)):
                address = f"http://127.0.0.1:{suite.ports.replica(number).web('commerce')}/readyz"
                async with client.session.get(address) as answer:
                    found.append((answer.status, await answer.json()))
            return found

        async def both_know() -> bool:
            return all(any(one["parkedCorps"] for one in body["consumers"].values()) for _, body in await health())

        async def ordered_until_parked() -> bool:
            await order()
            return await both_know()

        # What the handler writes to is not there: to it that is as if its own code were wrong.
        await database.execute("alter table commerce.order_lines rename to order_lines_away")
        try:
            await until(ordered_until_parked, seconds=40)
            assert [status for status, _ in await health()] == [200, 200]
            for _ in range(5):
                await order()
            # Nothing is stuck in the stream: what comes now is kept aside, and the other handlers go on.
            await client.drained(60)
        finally:
            await database.execute("alter table commerce.order_lines_away rename to order_lines")
            await database.close()
        letters = (await client.get(f"{SERVICE}/dead-letters", pageSize="200"))["deadLetters"]
        assert POISONS_IN_A_ROW <= len(letters) <= POISONS_IN_A_ROW * len(replicas)
        assert {one["reason"] for one in letters} == {"UndefinedTableError"}
        (parked,) = (await client.get(f"{SERVICE}/parked"))["parkedHandlers"]
        assert parked["reason"] == "UndefinedTableError"
        assert int(parked["kept"]) > 0

        # Mended; nothing has to be restarted.
        assert await client.post(f"{SERVICE}/parked:release", {}) == {"released": "1"}
        replayed = await client.post(f"{SERVICE}/dead-letters:replay", {})
        assert replayed == {"replayed": str(len(letters)), "remaining": "0"}

        async def nobody_is_parked() -> bool:
            return not (await client.get(f"{SERVICE}/parked"))["parkedHandlers"]

        await until(nobody_is_parked, seconds=30)
        await client.drained(90)
        for order_id in placed:
            shown = (await client.get(f"/api/v1/malls/yz-main/orders/{order_id}"))["order"]
            paid = (shown["status"], shown["paid"]["amount"], shown["userid"])
            assert paid == ("ORDER_STATUS_PAID", "990", friend["userid"])
        assert (await client.get(f"{SERVICE}/dead-letters"))["deadLetters"] == []
