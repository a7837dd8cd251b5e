"""The REST door: what it refuses and how, sessions, keys, documents."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import asyncpg
import jwt
import pytest
from openapi_spec_validator import validate

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.waiting import until

NOBODY = "00000000-0000-4000-8000-000000000000"
RULES = "/api/v1/welcome-rules"
BAD: dict[str, tuple[str, str, Any, int, str, str]] = {
    "unknown field": ("POST", "/api/v1/channels", {"name": "x", "nmae": 1}, 400, "FIELD_UNKNOWN", "nmae"),
    "snake case": ("POST", "/api/v1/live-codes", {"channel_id": "x"}, 400, "FIELD_UNKNOWN", "channel_id"),
    "mistyped field": ("POST", "/api/v1/channels", {"name": 7}, 400, "FIELD_WRONG", "name"),
    "missing field": ("POST", "/api/v1/channels", {}, 400, "FIELD_MISSING", "name"),
    "no body": ("POST", "/api/v1/channels", None, 400, "FIELD_MISSING", "name"),
    "a list": ("POST", "/api/v1/channels", [1], 400, "JSON_WRONG", "body"),
    "a string": ("POST", "/api/v1/channels", "x", 400, "JSON_WRONG", "body"),
    "NUL": ("POST", "/api/v1/channels", {"name": "a\x00b"}, 400, "FIELD_WRONG", "name"),
    "lone surrogate": ("POST", "/api/v1/channels", {"name": "\ud800"}, 400, "FIELD_WRONG", "name"),
    "too long": ("POST", "/api/v1/channels", {"name": "长" * 61}, 400, "TEXT_LENGTH_WRONG", "name"),
    "list for text": ("POST", "/api/v1/live-codes", {"userids": "a"}, 400, "FIELD_WRONG", "userids"),
    "text in a list": ("POST", "/api/v1/live-codes", {"userids": [1]}, 400, "FIELD_WRONG", "userids[0]"),
    "nested unknown": ("POST", RULES, {"text": "x", "link": {"href": "u"}}, 400, "FIELD_UNKNOWN", "link.href"),
    "nested missing": ("POST", RULES, {"text": "x", "link": {"title": "t"}}, 400, "FIELD_MISSING", "link.url"),
    "bad url": ("POST", RULES, {"text": "x", "link": {"title": "t", "url": "ftp:x"}}, 400, "URL_WRONG", "link.url"),
    "bad template": ("POST", "/api/v1/welcome-rules", {"text": "{{ x"}, 400, "TEMPLATE_WRONG", "text"),
    "bad id": ("GET", "/api/v1/channels/7", None, 400, "ID_MALFORMED", "channelId"),
    "unknown id": ("GET", f"/api/v1/channels/{NOBODY}", None, 404, "CHANNEL_NOT_FOUND", "channelId"),
    "unknown customer": ("GET", f"/api/v1/customers/{NOBODY}", None, 404, "CUSTOMER_NOT_FOUND", "customerId"),
    "bad page token": ("GET", "/api/v1/channels?pageToken=x", None, 400, "PAGE_TOKEN_WRONG", "pageToken"),
    "forged page token": ("GET", "/api/v1/orders?pageToken=cDE6e30", None, 400, "PAGE_TOKEN_WRONG", "pageToken"),
    "page size": ("GET", "/api/v1/channels?pageSize=201", None, 400, "PAGE_SIZE_OUT_OF_RANGE", "pageSize"),
    "page size text": ("GET", "/api/v1/channels?pageSize=x", None, 400, "FIELD_WRONG", "pageSize"),
    "parameter twice": ("GET", "/api/v1/channels?pageSize=1&pageSize=2", None, 400, "FIELD_TWICE", "pageSize"),
    "unknown parameter": ("GET", "/api/v1/channels?page=1", None, 400, "FIELD_UNKNOWN", "page"),
    "bad time": ("GET", "/api/v1/figures/orders?asOf=now", None, 400, "FIELD_WRONG", "asOf"),
    "query on a create": ("POST", "/api/v1/channels?x=1", {"name": "x"}, 400, "FIELD_UNKNOWN", "x"),
}  # fmt: skip


async def call(
    client: Client, suite: Suite, method: str, path: str, body: Any, **headers: str
) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body)
    sent = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json", **headers}
    async with client.session.request(method, suite.gateway + path, data=data, headers=sent) as answer:
        text = await answer.text()
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json", text
        return answer.status, json.loads(text) if text else {}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_request_is_told_what_is_wrong(admin: Client, suite: Suite, case: str) -> None:
    method, path, body, status, reason, field = BAD[case]
    channels = await admin.get("/api/v1/channels", pageSize="200")
    got, problem = await call(admin, suite, method, path, body)
    assert (got, problem["reason"], problem.get("field")) == (status, reason, field), problem
    assert await admin.get("/api/v1/channels", pageSize="200") == channels


async def test_json_that_is_none(admin: Client, suite: Suite) -> None:
    for raw in (b"{", b"\xff", b"[" * 100_000, b'{"name": "x", "name": "y"}', b'{"name": NaN}'):
        headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"}
        async with admin.session.post(f"{suite.gateway}/api/v1/channels", data=raw, headers=headers) as answer:
            assert (answer.status, (await answer.json(content_type=None))["reason"]) == (400, "JSON_WRONG")


async def test_who_may_not_enter(admin: Client, guide: Client, suite: Suite) -> None:
    key = suite.home.keys["session"]
    claims = {"corp": admin.corp_id, "sub": "admin", "role": "ADMIN", "aud": "session"}
    expired = jwt.encode({**claims, "exp": int(time.time()) - 1}, key, "HS256")
    forged = jwt.encode({**claims, "exp": int(time.time()) + 60}, "x" * 48, "HS256")
    sign_in = jwt.encode({**claims, "aud": "sign-in", "exp": int(time.time()) + 60}, key, "HS256")
    foreign = jwt.encode({**claims, "corp": "wwother", "exp": int(time.time()) + 60}, key, "HS256")
    for token, reason in (
        ("", "TOKEN_MISSING"),
        (f"Bearer {expired}", "TOKEN_EXPIRED"),
        (f"Bearer {forged}", "TOKEN_WRONG"),
        (f"Bearer {sign_in}", "TOKEN_WRONG"),
        (f"Bearer {foreign}", "TOKEN_WRONG"),
        ("Bearer bhk.a.b.c", "API_KEY_WRONG"),
        (f"Bearer bhk.{admin.corp_id}.{NOBODY}.c", "API_KEY_WRONG"),
    ):
        async with Client(suite, admin.corp_id) as nobody:
            status, problem = await call(nobody, suite, "GET", "/api/v1/channels", None, Authorization=token)
            assert (status, problem["reason"]) == (401, reason)
    status, problem = await call(guide, suite, "GET", "/api/v1/api-keys", None)
    assert (status, problem["reason"], problem["expected"]) == (403, "ROLE_NOT_ALLOWED", "ADMIN")
    status, problem = await call(guide, suite, "GET", "/api/v1/stream?scope=corp", None)
    assert status == 403
    status, problem = await call(guide, suite, "GET", "/api/v1/stream", None, **{"Last-Event-ID": "x"})
    assert (status, problem["field"]) == (400, "Last-Event-ID")


async def test_a_cookie_writes_only_from_our_own_pages(admin: Client, suite: Suite) -> None:
    async with Client(suite, admin.corp_id) as browser:
        await browser.sign_in("admin")
        for origin, status in ((None, 403), ("http://evil.example", 403), (suite.gateway, 400)):
            headers = {"Content-Type": "application/json"} | ({"Origin": origin} if origin else {})
            async with browser.session.post(f"{suite.gateway}/api/v1/channels", data="{}", headers=headers) as answer:
                assert answer.status == status
        async with browser.session.get(f"{suite.gateway}/api/v1/channels") as answer:
            assert answer.status == 200
        async with browser.session.post(f"{suite.gateway}/auth/logout") as answer:
            assert answer.status == 204
        async with browser.session.get(f"{suite.gateway}/api/v1/channels") as answer:
            assert answer.status == 401


async def test_who_signs_out_is_out_wherever_the_token_lies(admin: Client, suite: Suite) -> None:
    async with Client(suite, admin.corp_id) as browser, Client(suite, admin.corp_id) as thief:
        thief.token = await browser.sign_in("guide_151")
        other = await thief.get("/api/v1/me")
        assert other["userid"] == "guide_151"
        kept = browser.token
        browser.token = ""
        second = await browser.sign_in("guide_151")
        assert second != kept, "a session of its own each time"
        async with browser.session.post(f"{suite.gateway}/auth/logout", headers={"Authorization": "x"}) as answer:
            assert answer.status == 204
        thief.token = second
        status, problem = await call(thief, suite, "GET", "/api/v1/me", None)
        assert (status, problem["reason"]) == (401, "SESSION_ENDED")
        thief.token = kept
        assert (await call(thief, suite, "GET", "/api/v1/me", None))[0] == 200, "the first session goes on"
        async with thief.session.post(
            f"{suite.gateway}/auth/logout", headers={"Authorization": f"Bearer {kept}"}
        ) as end:
            assert end.status == 204
        assert (await call(thief, suite, "GET", "/api/v1/me", None))[0] == 401


async def test_a_sign_in_begun_elsewhere_is_refused(admin: Client, suite: Suite) -> None:
    async with Client(suite, admin.corp_id) as victim:
        async with admin.session.get(
            f"{suite.gateway}/auth/login?corp_id={admin.corp_id}", allow_redirects=False
        ) as answer:
            address = answer.headers["Location"].partition("#")[0] + "&as=admin"
        async with admin.session.get(address, allow_redirects=False) as answer:
            back = answer.headers["Location"]
        async with victim.session.get(back, allow_redirects=False) as answer:
            assert (answer.status, (await answer.json(content_type=None))["reason"]) == (403, "SIGN_IN_FOREIGN")
        async with victim.session.get(
            f"{suite.gateway}/auth/login?corp_id={admin.corp_id}&next=//evil.example"
        ) as answer:
            assert answer.status == 400


async def test_an_api_key_opens_until_it_is_revoked(admin: Client, suite: Suite) -> None:
    created = await admin.post("/api/v1/api-keys", {"name": "crm"})
    async with Client(suite, admin.corp_id) as program:
        program.token = created["key"]
        assert (await program.get("/api/v1/figures/people"))["people"]
        listed = await admin.get("/api/v1/api-keys")
        assert created["key"].rsplit(".", 1)[1] not in json.dumps(listed)
        path = f"/api/v1/api-keys/{created['apiKey']['apiKeyId']}"
        assert (await call(admin, suite, "DELETE", path, None))[0] == 200

        async def closed() -> bool:
            return (await call(program, suite, "GET", "/api/v1/figures/people", None))[0] == 401

        await until(closed, seconds=5)


async def test_a_dismissed_member_is_out_at_once(admin: Client, suite: Suite) -> None:
    async with Client(suite, admin.corp_id) as leaver:
        await leaver.sign_in("guide_150")
        assert (await call(leaver, suite, "GET", "/api/v1/customers", None))[0] == 200
        headers = {"Authorization": f"Bearer {leaver.token}"}
        async with leaver.session.get(f"{suite.gateway}/api/v1/stream", headers=headers) as stream:
            assert stream.status == 200
            database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "identity"))
            await database.execute("update identity.staff set active = false where userid = 'guide_150'")
            await database.close()

            async def out() -> bool:
                return (await call(leaver, suite, "GET", "/api/v1/customers", None))[0] == 403

            await until(out, seconds=5)
            await asyncio.wait_for(stream.content.read(), 10)  # ends: the reader may read no more


async def test_another_corps_ids_are_not_there(admin: Client, suite: Suite) -> None:
    foreign = "00000000-0000-7000-8000-00000000000f"
    for service, statement in (
        ("identity", f"insert into customers (corp_id, customer_id) values ('wwother', '{foreign}')"),
        ("acquisition", f"insert into channels (corp_id, channel_id, name) values ('wwother', '{foreign}', 'theirs')"),
        (
            "commerce",
            "insert into orders (corp_id, mall_id, order_id, currency, total_fen, created_at)"
            " values ('wwother', 'yz-main', 'E-theirs', 'CNY', 1, now())",
        ),
    ):
        url = suite.home.postgres_url(suite.ports, service)
        database = await asyncpg.connect(url, server_settings={"search_path": service})
        await database.execute(statement)
        await database.close()
    for path in (
        f"/api/v1/customers/{foreign}",
        f"/api/v1/channels/{foreign}",
        "/api/v1/malls/yz-main/orders/E-theirs",
    ):
        assert (await call(admin, suite, "GET", path, None))[0] == 404, path
    for path, rows, key in (
        ("/api/v1/customers", "customers", "customerId"),
        ("/api/v1/channels", "channels", "channelId"),
        ("/api/v1/orders", "orders", "orderId"),
    ):
        listed = await admin.get(path, pageSize="200")
        assert not {foreign, "E-theirs"} & {row[key] for row in listed[rows]}
    body = {"channelId": foreign, "name": "x", "userids": ["guide_001"]}
    assert (await call(admin, suite, "POST", "/api/v1/live-codes", body))[0] == 404


async def test_the_documents_are_true(admin: Client, suite: Suite) -> None:
    async with admin.session.get(f"{suite.gateway}/api/v1/openapi.json") as answer:
        document = await answer.json()
    validate(document)
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if operation.get("security") == []:
                continue
            assert operation["x-roles"], f"nobody may call {verb} {path}"
            async with Client(suite, admin.corp_id) as nobody:
                address = path.replace("{", "").replace("}", "")
                status, problem = await call(nobody, suite, verb.upper(), address, None, Authorization="")
                assert (status, problem["reason"]) == (401, "TOKEN_MISSING"), path
    async with admin.session.get(f"{suite.gateway}/api/docs") as answer:
        assert answer.status == 200
        assert "Bihuan API" in await answer.text()
