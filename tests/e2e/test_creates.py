"""Every create of the contract keeps its Idempotency-Key's promise; a new one that is not here is found."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.client import Client
from deploy.local.suite import Suite
from gateway.rest.contract import Operation, operations
from tests.e2e.test_rest import call

CREATES = [operation for operation in operations() if operation.is_create]


async def body_of(client: Client, name: str) -> dict[str, Any]:
    made = await client.post("/api/v1/channels", {"name": f"走查 {name}"})
    channel = made["channel"]["channelId"]
    if name == "CreateSeparation":
        one, other = await two_customers(client)
        return {"one": one, "other": other, "note": "走查"}
    bodies = {
        "CreateChannel": {"name": "走查渠道"},
        "CreateLiveCode": {"channelId": channel, "name": "走查", "userids": ["guide_001"]},
        "CreateWelcomeRule": {"channelId": channel, "text": "您好"},
        "CreateApiKey": {"name": "走查"},
        "CreateCustomerExport": {"title": "走查"},
        "CreateOrderExport": {"title": "走查"},
    }
    return bodies[name]


async def two_customers(client: Client) -> list[str]:
    for person in ("separated-1", "separated-2"):
        await client.sandbox("/sandbox/scan", {"corp_id": client.corp_id, "userid": "guide_001", "person": person})
    await client.drained(20)
    newest = await client.get("/api/v1/customers", pageSize="2")
    return [customer["customerId"] for customer in newest["customers"]]


@pytest.mark.parametrize("operation", CREATES, ids=lambda operation: operation.name)
async def test_a_create_that_is_repeated_is_made_once(admin: Client, suite: Suite, operation: Operation) -> None:
    body = await body_of(admin, operation.name)
    key = {"Idempotency-Key": f"walk-{operation.name}"}
    status, first = await call(admin, suite, operation.verb, operation.path, body, **key)
    assert status == 200, first
    assert await call(admin, suite, operation.verb, operation.path, body, **key) == (200, first)
    status, problem = await call(admin, suite, operation.verb, operation.path, {**body, "name": "another"}, **key)
    assert status in (400, 422), problem
