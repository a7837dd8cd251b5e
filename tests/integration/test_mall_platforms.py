"""A new mall platform is one module at the door, one among the clients, and a line in each table. Here is one."""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from bihuan.mall.v1 import facts_pb2 as pb
from google.protobuf.message import Message
from nats.js import JetStreamContext

from chassis.errors import Unauthenticated
from chassis.kernel import corps
from chassis.kernel.corps import App, Corp, Corps, Mall
from chassis.kernel.identifiers import Identifiers
from chassis.moments import stamp
from chassis.sealing import Sealer
from commerce.adapters import malls
from commerce.adapters.malls import MallBook
from gateway import app_keys
from gateway.bounds import OutOfBounds
from gateway.edge import Edge
from gateway.mall import platforms, webhook
from gateway.mall.adapter import Opened
from gateway.mall.fields import as_object, needed, parse
from gateway.request_log import one_line_per_request


class Market:
    """The door's side of a platform that signs with a shared word and knows one kind of message."""

    MOST_BYTES = 1000
    READING = 1
    KINDS = frozenset({"closed"})

    def verify(self, mall: Mall, headers: Mapping[str, str], body: bytes) -> None:
        if not hmac.compare_digest(headers.get("X-Word", ""), mall.own["word"]):
            raise Unauthenticated("SIGNATURE_WRONG", field="X-Word")

    def open(self, mall: Mall, body: bytes) -> Opened | None:
        message = as_object(parse(body, "body"), "body")
        return Opened(needed(message.get("kind"), "kind"), ("market", needed(message.get("id"), "id")), message)

    def state(self, edge: Edge, corp_id: str, mall: Mall, message: Opened, arrived_at: datetime) -> Message | None:
        if message.kind != "closed":
            return None
        if len(message.parts["order"]) > 10:
            raise OutOfBounds("order", "at most 10 characters")
        at = stamp(arrived_at)
        order = pb.OrderRef(corp_id=corp_id, mall_id=mall.id, order_id=message.parts["order"], at=at, arrived_at=at)
        return pb.OrderClosed(order=order, reason=message.parts["word"])

    def acknowledge(self) -> web.Response:
        return web.Response(text="received, thank you")


class MarketClient:
    def __init__(self, js: JetStreamContext, sealer: Sealer, replicas: int) -> None:
        pass

    async def who(self, corp_id: str, mall: Mall, kind: str, value: str) -> Mapping[str, str]:
        return {"unionid": f"{mall.own['word']} {value}"}

    async def close(self) -> None:
        pass


@pytest.fixture(name="corp")
def corp_with_a_market(monkeypatch: pytest.MonkeyPatch) -> Corp:
    monkeypatch.setitem(corps.PLATFORM_KEYS, "market", frozenset({"word"}))
    monkeypatch.setitem(platforms.PLATFORMS, "market", Market())
    monkeypatch.setitem(malls.PLATFORMS, "market", MarketClient)
    app = App(agent_id=7, secret="s", callback_token="t", callback_aes_key="A" * 43)
    mall = Mall.model_validate({"id": "m", "platform": "market", "api_base": "x", "word": "please"})
    corp_id = f"ww{uuid.uuid4().hex[:16]}"
    return Corp(corp_id=corp_id, name="x", api_base="x", oauth_base="x", app=(app,), mall=(mall,))


@pytest.fixture(name="door")
async def make_door(
    corp: Corp, jetstream: JetStreamContext, sealer: Sealer, identifiers: Identifiers
) -> AsyncIterator[TestClient[Any, Any]]:
    app = web.Application(middlewares=[one_line_per_request])
    app[app_keys.CORPS] = Corps((corp,))
    app[app_keys.EDGE] = Edge(jetstream, sealer, identifiers)
    webhook.add_routes(app)
    async with TestClient(TestServer(app)) as client:
        yield client


async def newest(js: JetStreamContext) -> tuple[str, bytes, int]:
    """Type and body of the newest fact at the edge, and how many there have been."""
    last = (await js.stream_info("EDGE")).state.last_seq
    message = await js.get_msg("EDGE", last)
    return (message.headers or {})["ce-type"], message.data or b"", last


async def test_a_platform_that_is_new_is_heard(
    corp: Corp, door: TestClient[Any, Any], jetstream: JetStreamContext
) -> None:
    async def push(message: dict[str, Any], word: str = "please") -> tuple[int, str]:
        body = json.dumps(message)
        headers = {"Content-Type": "application/json", "X-Word": word}
        answer = await door.post(f"/mall/{corp.corp_id}/m", data=body, headers=headers)
        return answer.status, await answer.text()

    closed = {"id": "1", "kind": "closed", "order": "E1", "word": "sold out"}
    assert await push(closed) == (200, "received, thank you")
    kind, body, count = await newest(jetstream)
    assert kind == "bihuan.mall.v1.OrderClosed"
    assert pb.OrderClosed.FromString(body).reason == "sold out"
    assert await push(closed) == (200, "received, thank you")
    assert (await newest(jetstream))[2] == count, "a re-send is the same fact"

    assert (await push({**closed, "id": "2", "order": "E" * 11}))[0] == 200
    assert (await push({**closed, "id": "3", "kind": "opened"}))[0] == 200
    kind, body, after = await newest(jetstream)
    assert (kind, after) == ("bihuan.mall.v1.MessageUnread", count + 2)
    assert pb.MessageUnread.FromString(body).kind == "opened"

    assert (await push(closed, word="now"))[0] == 401
    assert (await push({"id": "4"}))[0] == 400
    assert (await push({**closed, "id": "5", "word": "x" * 1000}))[0] == 413
    assert (await newest(jetstream))[2] == after, "a refusal changes nothing"


async def test_a_platform_that_is_new_is_asked(corp: Corp, jetstream: JetStreamContext, sealer: Sealer) -> None:
    book = MallBook(Corps((corp,)), jetstream, sealer)
    assert await book.who(corp.corp_id, "m", "phone", "1") == {"unionid": "please 1"}
    await book.close()


def test_the_tables_name_the_same_platforms() -> None:
    assert set(platforms.PLATFORMS) == set(corps.PLATFORM_KEYS)
    assert set(malls.PLATFORMS) <= set(corps.PLATFORM_KEYS)
