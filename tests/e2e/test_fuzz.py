"""Every parser that faces outside, fed with what nobody should send: never a 5xx, never a hang, and a refusal changes
nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deploy.local.client import Client
from deploy.local.home import SERVICES
from deploy.local.suite import Suite
from gateway.rest.contract import operations
from tests.e2e.test_door import MALL, WeComSender, edge_messages, quiet, sign_for_mall

EXAMPLES = 60
SECONDS = aiohttp.ClientTimeout(total=10)

mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat"]), st.floats(0, 1, exclude_max=True), st.binary(max_size=12)
    ),
    min_size=1,
    max_size=6,
)


def mutate(raw: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """Bytes changed here and there, at places given as parts of the whole."""
    for kind, place, new in changes:
        at = int(place * len(raw))
        if kind == "flip" and raw:
            raw = raw[:at] + bytes([raw[at] ^ (new[0] if new else 1)]) + raw[at + 1 :]
        elif kind == "cut":
            raw = raw[:at]
        elif kind == "insert":
            raw = raw[:at] + new + raw[at:]
        else:
            raw = raw[:at] + raw[at : at + 40] * 3 + raw[at:]
    return raw


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def others_quiet(others: Client) -> AsyncIterator[Client]:
    """The second corp, with nothing on its way to it."""
    await others.drained(30)
    await quiet(others)
    yield others


async def send(
    client: Client, suite: Suite, url: str, body: bytes, query: dict[str, str], headers: dict[str, str]
) -> int:
    """The status; a refusal is a problem and leaves EDGE as it was."""
    before = await edge_messages(client, suite)
    async with client.session.post(url, params=query, data=body, headers=headers, timeout=SECONDS) as answer:
        text = await answer.text()
        assert answer.status < 500, text
        if answer.status >= 400:
            assert json.loads(text)["reason"], text
            assert await edge_messages(client, suite) == before
        return answer.status


@settings(max_examples=EXAMPLES)
@given(mutations, st.booleans())
async def test_callback_envelopes(others_quiet: Client, suite: Suite, changes: Any, resign: bool) -> None:
    sender = WeComSender(suite)
    encrypted = sender.encrypt(sender.event())
    body = mutate(sender.envelope(encrypted).encode(), changes)
    if resign:  # the signature is right for what the envelope says now, so that the parts behind it are reached
        inner = body.partition(b"<Encrypt><![CDATA[")[2].partition(b"]]>")[0]
        encrypted = inner.decode(errors="replace")
    await send(others_quiet, suite, sender.url, body, sender.query(encrypted), {"Content-Type": "text/xml"})


@settings(max_examples=EXAMPLES)
@given(st.one_of(mutations, st.binary(max_size=300), st.text(max_size=200)))
async def test_events_inside(others_quiet: Client, suite: Suite, inside: Any) -> None:
    sender = WeComSender(suite)
    plain = inside.encode(errors="replace") if isinstance(inside, str) else inside
    if isinstance(inside, list):
        plain = mutate(sender.event(), inside)
    encrypted = sender.encrypt(plain)
    await send(
        others_quiet,
        suite,
        sender.url,
        sender.envelope(encrypted).encode(),
        sender.query(encrypted),
        {"Content-Type": "text/xml"},
    )


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(["msg_signature", "timestamp", "nonce", "echostr", "x"]), st.text(max_size=60)))
async def test_url_verification(others_quiet: Client, suite: Suite, query: dict[str, str]) -> None:
    async with others_quiet.session.get(WeComSender(suite).url, params=query, timeout=SECONDS) as answer:
        assert answer.status in (400, 401), await answer.text()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
GOOD_MALL = next(body for body, status, _ in MALL.values() if status == 400 and body.startswith(b"{"))


@settings(max_examples=EXAMPLES)
@given(
    st.one_of(
        mutations,
        json_values,
        st.fixed_dictionaries(
            {
                "kdt_id": st.just(160001),
                "type": st.sampled_from(["trade_TradePaid", "trade_refund_RefundSuccess", "x"]),
            },
            optional={
                "msg": json_values | st.text(max_size=40),
                "version": json_values,
                "msg_id": json_values,
                "test": json_values,
            },
        ),
    )
)
async def test_mall_messages(others_quiet: Client, suite: Suite, said: Any) -> None:
    is_mutation = isinstance(said, list) and said and isinstance(said[0], tuple)
    body = mutate(GOOD_MALL, said) if is_mutation else json.dumps(said).encode()
    url, headers = sign_for_mall(suite, body)
    await send(others_quiet, suite, url, body, {}, {"Content-Type": "application/json", **headers})


@settings(max_examples=EXAMPLES)
@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40) | st.integers().map(str))
async def test_last_event_ids(others_quiet: Client, suite: Suite, event_id: str) -> None:
    headers = {"Authorization": f"Bearer {others_quiet.token}", "Last-Event-ID": event_id}
    address = f"{suite.gateway}/api/v1/stream"
    async with others_quiet.session.get(address, headers=headers, timeout=SECONDS) as answer:
        whole = event_id.strip(" \t")
        right = not whole or (whole.isascii() and whole.isdigit() and len(whole) <= 19)
        assert answer.status == (200 if right else 400), event_id
        if answer.status == 200:
            assert (await answer.content.readline()).startswith(b"retry:")


LISTS = [one for one in operations() if "page_token" in one.method.input_type.fields_by_name]


@settings(max_examples=EXAMPLES)
@given(
    st.sampled_from(LISTS),
    st.text(max_size=40)
    | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(b"p1:" + raw).decode().rstrip("="))
    | json_values.map(lambda value: base64.urlsafe_b64encode(b"p1:" + json.dumps(value).encode()).decode().rstrip("=")),
)
async def test_page_tokens(others_quiet: Client, suite: Suite, operation: Any, token: str) -> None:
    path = operation.path.replace("{service}", "identity")
    headers = {"Authorization": f"Bearer {others_quiet.token}"}
    async with others_quiet.session.get(
        suite.gateway + path, params={"pageToken": token, "pageSize": "2"}, headers=headers, timeout=SECONDS
    ) as answer:
        text = await answer.text()
        assert answer.status in (200, 400), text
        if answer.status == 400:
            assert json.loads(text)["field"] == "pageToken", text


# -- REST, over the whole document


@pytest.fixture(scope="module")
def contract(suite: Suite) -> Any:
    return schemathesis.openapi.from_url(f"{suite.gateway}/api/v1/openapi.json")


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class Contents:
    """What the four services hold of one corp: a number for each of their tables, made of all its rows."""

    def __init__(self, suite: Suite, corp_id: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._corp_id, self._ports = corp_id, suite.ports
        url = suite.home.postgres_url(suite.ports, "postgres")
        self._database = self._loop.run_until_complete(asyncpg.connect(url))
        tables = self._loop.run_until_complete(
            self._database.fetch(
                "select table_schema as s, table_name as t from information_schema.columns"
                " where column_name = 'corp_id' and table_schema = any($1)",
                list(SERVICES),
            )
        )
        self._query = " union all ".join(
            f"select '{row['s']}.{row['t']}', sum(hashtextextended(t::text, 0)) from {row['s']}.{row['t']} t"
            " where corp_id = $1"
            for row in tables
        )

    def close(self) -> None:
        self._loop.run_until_complete(self._database.close())
        self._loop.close()

    def read(self) -> dict[str, Any]:
        return dict(self._loop.run_until_complete(self._database.fetch(self._query, self._corp_id)))

    def settled(self) -> dict[str, Any]:
        """When what was accepted has had all its effects: no fact, no due row and no call waits, seen twice."""
        give_up_at, last = time.monotonic() + 30, None
        while True:
            now = None if self._waits() else self.read()
            if now is not None and now == last:
                return now
            last = now
            assert time.monotonic() < give_up_at, "it never came to rest"
            time.sleep(0.05)

    def _waits(self) -> bool:
        ports = self._ports
        state = requests.get(f"http://127.0.0.1:{ports.nats_monitor}/jsz?consumers=true&config=true", timeout=5).json()
        durables = [
            one
            for account in state["account_details"]
            for stream in account["stream_detail"]
            for one in stream.get("consumer_detail") or ()
            if one["config"].get("durable_name")
        ]
        assert durables
        return any(one["num_pending"] + one["num_ack_pending"] for one in durables) or any(
            any(requests.get(f"http://127.0.0.1:{ports.web(service)}/backlog", timeout=5).json().values())
            for service in SERVICES
        )


@pytest.fixture(scope="module")
def contents(suite: Suite) -> Iterator[Contents]:
    opened = Contents(suite, suite.home.corps[1]["corp_id"])
    yield opened
    opened.close()


@pytest.mark.parametrize("name", [operation.name for operation in operations()])
def test_rest(name: str, contract: Any, contents: Contents, others_quiet: Client) -> None:
    """Right and wrong requests as the document makes them; answers as the document says; what is refused, or only
    reads, changes nothing anywhere."""
    operation = contract.find_operation_by_id(name)
    first = held = contents.settled()
    created = False

    @settings(max_examples=40, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask(case: Case) -> None:
        nonlocal held, created
        response = case.call(headers={"Authorization": f"Bearer {others_quiet.token}"}, timeout=10)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            assert response.json()["reason"]
        if response.status_code >= 400 or case.method == "GET":
            assert contents.read() == held, "it has left something"
        else:
            held = contents.settled()
            created |= name.startswith("Create")

    ask()
    assert held != first or not created, "it sees nothing"
