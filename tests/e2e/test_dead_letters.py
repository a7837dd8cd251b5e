"""Dead letters as an operator meets them: listed, inspected and replayed, by REST and by command."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from typing import Any

import nats
from bihuan.wecom.v1.facts_pb2 import ContactEdited

from chassis.facts import new_fact
from deploy.local.client import Client
from deploy.local.home import SERVICES
from deploy.local.suite import ROOT, Suite
from tests.e2e.test_door import youzan_message
from tests.e2e.test_rest import call
from tests.waiting import until

BROKEN = b"\xff\xff"


async def waiting(client: Client, service: str, fact_id: str) -> list[dict[str, Any]]:
    listed = await client.get(f"/api/v1/services/{service}/dead-letters", pageSize="200")
    return [one for one in listed["deadLetters"] if one["factId"] == fact_id]


async def test_listed_inspected_and_replayed_by_rest(admin: Client, suite: Suite) -> None:
    fact = new_fact(ContactEdited(), corp_id=admin.corp_id, source="gateway", fact_id="broken-1")
    bus = await nats.connect(suite.home.nats_url(suite.ports))
    await bus.jetstream().publish(fact.subject, BROKEN, headers=fact.headers)
    await bus.close()
    (letter,) = await until(lambda: waiting(admin, "identity", "broken-1"))
    assert letter["reason"] == "FACT_UNDECODABLE"
    assert letter["type"] == "bihuan.wecom.v1.ContactEdited"
    path = f"/api/v1/services/identity/dead-letters/{letter['durable']}/broken-1"
    whole = await admin.get(path)
    assert base64.b64decode(whole["payload"]) == BROKEN
    assert whole["fact"] == ""
    replayed = await admin.post("/api/v1/services/identity/dead-letters:replay", {"factIds": ["broken-1"]})
    assert replayed == {"replayed": "1", "remaining": "0"}
    # It is still broken, so it comes back, once.
    await until(lambda: _came_back_after(admin, letter["at"]))
    assert len(await waiting(admin, "identity", "broken-1")) == 1
    for path, status in (
        ("/api/v1/services/nobody/dead-letters", 404),
        (f"/api/v1/services/identity/dead-letters/{letter['durable']}/other", 404),
        ("/api/v1/services/identity/dead-letters?pageToken=cDE6e30", 400),
    ):
        assert await admin.status(path) == status


async def _came_back_after(client: Client, at: str) -> bool:
    return any(one["at"] > at for one in await waiting(client, "identity", "broken-1"))


async def test_a_refund_that_the_payment_covers_after_all_closes_its_letter(admin: Client, suite: Suite) -> None:
    def order(yuan: str) -> dict[str, Any]:
        info = {"tid": "E-dead", "created": "2026-10-01 12:00:00", "pay_time": "2026-10-01 12:00:00"}
        return {"full_order_info": {"order_info": info, "pay_info": {"payment": yuan}, "orders": []}}

    refund = {"tid": "E-dead", "refund_id": "R-dead", "refunded_fee": "150.00", "update_time": "2026-10-02 12:00:00"}
    await youzan_message(admin, suite, "trade_TradePaid", order("100.00"), 1)
    await youzan_message(admin, suite, "trade_refund_RefundSuccess", refund, 2)

    async def letters() -> list[dict[str, Any]]:
        listed = (await admin.get("/api/v1/services/commerce/dead-letters", pageSize="200"))["deadLetters"]
        return [one for one in listed if "R-dead" in one["detail"]]

    (letter,) = await until(letters)
    whole = await admin.get(f"/api/v1/services/commerce/dead-letters/{letter['durable']}/{letter['factId']}")
    assert json.loads(whole["fact"])["refundId"] == "R-dead"
    await youzan_message(admin, suite, "trade_TradePaid", order("200.00"), 3)
    await admin.drained(20)
    assert not await letters()
    replayed = await admin.post("/api/v1/services/commerce/dead-letters:replay", {"factIds": [letter["factId"]]})
    assert replayed == {"replayed": "0", "remaining": "0"}
    shown = (await admin.get("/api/v1/malls/yz-main/orders/E-dead"))["order"]
    assert (shown["paid"]["amount"], shown["refunded"]["amount"]) == ("20000", "15000")


async def test_another_corp_sees_none_of_them(suite: Suite, admin: Client, others: Client) -> None:
    mine = (await admin.get("/api/v1/services/identity/dead-letters"))["deadLetters"]
    assert mine
    for service in SERVICES:
        assert (await others.get(f"/api/v1/services/{service}/dead-letters"))["deadLetters"] == []
    path = f"/api/v1/services/identity/dead-letters/{mine[0]['durable']}/{mine[0]['factId']}"
    assert (await call(others, suite, "GET", path, None))[0] == 404
    everything = await others.post("/api/v1/services/identity/dead-letters:replay", {})
    assert everything == {"replayed": "0", "remaining": "0"}


async def test_listed_by_command(suite: Suite, admin: Client) -> None:
    assert await waiting(admin, "identity", "broken-1")
    environment = {**os.environ, **suite.home.environment(suite.ports)}
    command = [sys.executable, "-m", "chassis.dead_letters", "list", "identity"]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ("broken-1", "FACT_UNDECODABLE", admin.corp_id) in {
        (one["fact_id"], one["reason"], one["corp_id"]) for one in lines
    }
