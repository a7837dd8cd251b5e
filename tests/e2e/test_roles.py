"""Who may do what: every RPC of the contract by every role, two corps with equal ids, scope that follows a transfer."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from bihuan.access.v1.access_pb2 import Role
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis.rpc import CREDENTIAL
from deploy.local.client import Client
from deploy.local.home import SERVICES
from deploy.local.suite import ROOT, Suite
from gateway.rest.contract import Operation, operations
from tests.e2e.test_rest import call
from tests.waiting import until

NOBODY = "00000000-0000-4000-8000-000000000000"
# Who plays which role; each is a member of the sandbox's corp.
PLAYERS = {
    "ROLE_MANAGER": "guide_101",
    "ROLE_OPERATOR": "guide_102",
    "ROLE_ANALYST": "guide_103",
    "ROLE_FRONTLINE": "guide_104",
}
# They would do something when asked with an empty body.
WITHOUT_INPUT = ("SyncStaff", "ReplayDeadLetters", "CreateCustomerExport", "CreateOrderExport")
PATHS = {
    "userid": "nobody",
    "service": "identity",
    "mall_id": "yz-main",
    "order_id": "E0",
    "durable": "d",
    "fact_id": "f",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def players(suite: Suite, admin: Client) -> AsyncIterator[dict[str, Client]]:
    """Role → somebody signed in who has it; SERVICE is an API key."""
    signed_in = {"ADMIN": admin}
    for role, userid in PLAYERS.items():
        await admin.put(f"/api/v1/staff/{userid}/role", {"role": role})
        client = Client(suite, admin.corp_id)
        await client.sign_in(userid)
        signed_in[role.removeprefix("ROLE_")] = client
    program = Client(suite, admin.corp_id)
    program.token = (await admin.post("/api/v1/api-keys", {"name": "roles"}))["key"]
    signed_in["SERVICE"] = program
    try:
        yield signed_in
    finally:
        for role, client in signed_in.items():
            if role != "ADMIN":
                await client.session.close()


ROLES = [name.removeprefix("ROLE_") for name in Role.DESCRIPTOR.values_by_name if name != "ROLE_UNSPECIFIED"]


def address(operation: Operation) -> str:
    path = operation.path
    for field in operation.method.input_type.fields:
        path = path.replace(f"{{{field.name}}}", PATHS.get(field.name, NOBODY))
    return path


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", list(operations()), ids=lambda operation: operation.name)
async def test_every_rpc_by_every_role(
    players: dict[str, Client], suite: Suite, operation: Operation, role: str
) -> None:
    """Who is named in the contract gets in, as far as the request is right; nobody else does."""
    body = {} if operation.has_body else None
    if operation.name in WITHOUT_INPUT:
        body = {"unknown": 1}
    status, problem = await call(players[role], suite, operation.verb, address(operation), body)
    if role in operation.roles:
        assert status in (200, 400, 404), problem
    else:
        assert (status, problem["reason"]) == (403, "ROLE_NOT_ALLOWED")


def test_every_public_rpc_names_its_roles() -> None:
    for operation in operations():
        assert operation.roles, f"nobody may call {operation.name}"
        assert "ADMIN" in operation.roles


def methods() -> Iterator[tuple[str, str, type[Message]]]:
    """(service of the house, full RPC path, request type) of every RPC, inner ones too."""
    for file in sorted((ROOT / "proto/bihuan").glob("*/v1/*_service.proto")):
        module = importlib.import_module(f"bihuan.{file.parts[-3]}.v1.{file.stem}_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            owners = SERVICES if file.parts[-3] == "operations" else (file.parts[-3],)
            for owner in owners:
                for method in service.methods:
                    yield owner, f"/{service.full_name}/{method.name}", GetMessageClass(method.input_type)


async def test_grpc_answers_only_our_own_processes(suite: Suite, admin: Client) -> None:
    """Every RPC, without a credential, with a wrong one, and with one that only says who is calling."""
    roles = [("bihuan-corp", admin.corp_id), ("bihuan-userid", "admin"), ("bihuan-role", "ADMIN")]
    for owner, path, request in methods():
        async with grpc.aio.insecure_channel(f"127.0.0.1:{suite.ports.grpc(owner)}") as channel:
            send = channel.unary_unary(path, request_serializer=request.SerializeToString)
            for metadata in ([], [(CREDENTIAL, "x" * 43)], roles, [*roles, (CREDENTIAL, "")]):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await send(request(), metadata=metadata, timeout=5)
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED, path
    assert len(list(methods())) > 30


# -- two corps with equal ids


async def test_nothing_crosses_between_corps(suite: Suite, admin: Client, others: Client) -> None:
    """The same employee, the same shop account, the same order number in both: each sees their own."""
    found = {}
    for client, yuan in ((admin, "11.00"), (others, "22.00")):
        body = {"corp_id": client.corp_id, "state": client.codes.states[1], "userid": "guide_001", "person": "twin"}  # type: ignore[attr-defined]
        friend = await client.sandbox("/sandbox/scan", body)
        order = {"corp_id": client.corp_id, "external_userid": friend["external_userid"], "order_id": "E-twin"}
        await client.sandbox("/sandbox/order", {**order, "yuan": yuan})
        found[client] = friend
    assert found[admin]["yz_open_ids"] == found[others]["yz_open_ids"]
    await admin.drained(30)
    ids: dict[Client, dict[str, set[str]]] = {}
    for client, fen in ((admin, "1100"), (others, "2200")):
        order = (await client.get("/api/v1/malls/yz-main/orders/E-twin"))["order"]
        assert order["paid"]["amount"] == fen
        assert order["userid"] == "guide_001"
        ids[client] = {}
        for path, rows, key in (
            ("/api/v1/customers", "customers", "customerId"),
            ("/api/v1/channels", "channels", "channelId"),
            ("/api/v1/live-codes", "liveCodes", "liveCodeId"),
            ("/api/v1/welcome-rules", "welcomeRules", "welcomeRuleId"),
        ):
            ids[client][path] = await _all_ids(client, path, rows, key)
            assert ids[client][path]
        customer = (await client.get(f"/api/v1/customers/{order['customerId']}"))["customer"]
        values = {one["value"] for one in customer["identifiers"] if one["value"]}
        assert values == {found[client]["external_userid"]}
    for path, mine in ids[admin].items():
        assert not mine & ids[others][path], path
        for client, other in ((admin, others), (others, admin)):
            theirs = next(iter(ids[other][path]))
            verb = "DELETE" if "welcome" in path else "GET"
            assert (await call(client, suite, verb, f"{path}/{theirs}", None))[0] == 404, path
    theirs = next(iter(ids[others]["/api/v1/channels"]))
    body = {"channelId": theirs, "name": "x", "userids": ["guide_001"]}
    assert (await call(admin, suite, "POST", "/api/v1/live-codes", body))[0] == 404
    people = await others.get("/api/v1/figures/people")
    assert int(people["people"]) == len(ids[others]["/api/v1/customers"])
    async with Client(suite, others.corp_id) as program:
        program.token = (await others.post("/api/v1/api-keys", {"name": "theirs"}))["key"]
        status, _ = await call(
            program, suite, "GET", f"/api/v1/customers/{next(iter(ids[admin]['/api/v1/customers']))}", None
        )
        assert status == 404


async def _all_ids(client: Client, path: str, rows: str, key: str) -> set[str]:
    found: set[str] = set()
    token = ""
    while True:
        page = await client.get(path, pageSize="200", pageToken=token)
        found |= {row[key] for row in page[rows]}
        token = page["nextPageToken"]
        if not token:
            return found


# -- scope


async def doors(client: Client, customer_id: str) -> set[bool]:
    """Whether the customer is in the list, is found by id, and has orders: one answer, but while it changes."""
    listed = await _all_ids(client, "/api/v1/customers", "customers", "customerId")
    status = (await client.status(f"/api/v1/customers/{customer_id}")) == 200
    orders = await client.get("/api/v1/orders", customerId=customer_id)
    return {status, customer_id in listed, bool(orders["orders"])}


async def sees(client: Client, customer_id: str) -> bool:
    return await doors(client, customer_id) == {True}


async def sees_nothing(client: Client, customer_id: str) -> bool:
    return await doors(client, customer_id) == {False}


async def within_two_seconds(condition: Any) -> None:
    """The rule's two seconds, and one for the noise of the machine."""
    await until(condition, seconds=3)


async def test_scope_follows_a_transfer_and_a_department_move(suite: Suite, admin: Client) -> None:
    async with (
        Client(suite, admin.corp_id) as giver,
        Client(suite, admin.corp_id) as taker,
        Client(suite, admin.corp_id) as manager,
    ):
        # Stores 2, 4, … stand under 101, stores 3, 5, … under 102; guide n is in store 2 + n mod 10.
        await giver.sign_in("guide_120")
        await taker.sign_in("guide_131")
        await manager.sign_in("guide_122")
        granted = await admin.put("/api/v1/staff/guide_122/role", {"role": "ROLE_MANAGER", "departmentIds": ["101"]})
        assert granted["staff"]["managedDepartmentIds"] == ["101"]
        body = {"corp_id": admin.corp_id, "userid": "guide_120", "person": "handed over", "state": "x"}
        friend = await admin.sandbox("/sandbox/scan", body)
        who = {"corp_id": admin.corp_id, "external_userid": friend["external_userid"]}
        await admin.sandbox("/sandbox/order", {**who, "yuan": "5.00", "order_id": "E-scope"})
        path = "/api/v1/malls/yz-main/orders/E-scope"

        async def placed() -> str:
            order = (await admin.get(path))["order"] if await admin.status(path) == 200 else {}
            return str(order.get("customerId", "")) if order.get("userid") else ""

        customer_id = await until(placed)
        assert await sees(giver, customer_id)
        assert await sees(manager, customer_id)
        assert await sees_nothing(taker, customer_id)

        async def managers_loses() -> bool:
            return await sees_nothing(manager, customer_id)

        async def managers_gains() -> bool:
            return await sees(manager, customer_id)

        # The giver's store moves out of the manager's region, and back.
        for departments, condition in (([3], managers_loses), ([2], managers_gains)):
            await admin.sandbox("/sandbox/member", {**who, "userid": "guide_120", "departments": departments})
            await within_two_seconds(condition)

        # A transfer: WeCom takes the customer from one and gives them to the other.
        await admin.sandbox("/sandbox/delete", {**who, "userid": "guide_120", "by": "staff"})
        await admin.sandbox("/sandbox/scan", {**body, "userid": "guide_131"})

        async def handed_over() -> bool:
            return await sees(taker, customer_id) and await sees_nothing(giver, customer_id)

        await within_two_seconds(handed_over)
        assert await sees_nothing(manager, customer_id), "guide_131 is in region 102"


async def test_a_new_role_is_in_force_within_two_seconds(suite: Suite, admin: Client) -> None:
    async with Client(suite, admin.corp_id) as riser:
        await riser.sign_in("guide_140")
        assert await riser.status("/api/v1/figures/orders") == 403
        for role, status in (("ROLE_OPERATOR", 200), ("ROLE_FRONTLINE", 403)):
            await admin.put("/api/v1/staff/guide_140/role", {"role": role})

            async def in_force(expected: int = status) -> bool:
                return await riser.status("/api/v1/figures/orders") == expected

            await within_two_seconds(in_force)


async def test_roles_that_cannot_be(suite: Suite, admin: Client) -> None:
    for userid, body, status, reason in (
        ("nobody", {"role": "ROLE_OPERATOR"}, 404, "STAFF_NOT_FOUND"),
        ("guide_141", {}, 400, "FIELD_MISSING"),
        ("guide_141", {"role": "ROLE_SERVICE"}, 400, "ROLE_WRONG"),
        ("guide_141", {"role": "ROLE_ANALYST", "departmentIds": ["2"]}, 400, "DEPARTMENTS_WRONG"),
        ("guide_141", {"role": "ROLE_MANAGER", "departmentIds": ["999"]}, 400, "DEPARTMENTS_WRONG"),
        ("admin", {"role": "ROLE_OPERATOR"}, 422, "LAST_ADMIN"),
    ):
        got, problem = await call(admin, suite, "PUT", f"/api/v1/staff/{userid}/role", body)
        assert (got, problem["reason"]) == (status, reason)
    assert (await admin.get("/api/v1/me"))["role"] == "ROLE_ADMIN"


async def test_an_analyst_sees_no_personal_data(players: dict[str, Client], admin: Client) -> None:
    analyst = players["ANALYST"]
    await until(lambda: _named(admin))
    clear = (await admin.get("/api/v1/customers", pageSize="200"))["customers"]
    masked = {c["customerId"]: c for c in (await analyst.get("/api/v1/customers", pageSize="200"))["customers"]}
    for customer in clear:
        shown = masked[customer["customerId"]]
        assert not any(one["value"] for one in shown["identifiers"])
        if customer["name"]:
            assert shown["name"] != customer["name"]
            assert shown["name"].endswith("*")
    names = {one["name"] for one in (await admin.get("/api/v1/staff"))["staff"]}
    assert not names & {one["name"] for one in (await analyst.get("/api/v1/staff"))["staff"]}


async def _named(client: Client) -> bool:
    return any(customer["name"] for customer in (await client.get("/api/v1/customers"))["customers"])


async def test_departments_and_who_i_am(players: dict[str, Client], admin: Client) -> None:
    listed = (await admin.get("/api/v1/departments"))["departments"]
    assert {one["name"] for one in listed} >= {"华东", "华南", "1号店"}
    root = next(one for one in listed if one["departmentId"] == "1")
    assert "parentId" not in root
    for role, client in players.items():
        me = await client.get("/api/v1/me")
        assert me["role"] == f"ROLE_{role}"
        assert (me["zone"], me["corpName"]) == ("Asia/Shanghai", "示例公司")
        assert bool(me["name"]) == (role != "SERVICE")
    manager = await players["MANAGER"].get("/api/v1/staff", pageSize="200")
    assert {tuple(one["departmentIds"]) for one in manager["staff"]} == {("3",)}, "no grant: their own department"
