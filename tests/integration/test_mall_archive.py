"""A mall's message is kept whole, and a later reader gets out of it what the first could not: on a real server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from bihuan.mall.v1 import facts_pb2 as pb
from google.protobuf.message import Message
from nats.js import JetStreamContext

from chassis import bus
from chassis.facts import Received, decode, type_of
from chassis.kernel.corps import App, Corp, Mall
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from commerce import consumers as commerce
from gateway.edge import Edge
from gateway.mall import archive, youzan
from gateway.mall.archive import Reread, Wanted, reread
from gateway.mall.platforms import PLATFORMS
from gateway.mall.reading import read
from gateway.reread import parse
from tests.conftest import CORP
from tests.waiting import until

NOW = datetime.now(UTC)
# Before anything this test publishes, after what others may have left.
SINCE = NOW - timedelta(minutes=1)
SHOP = Mall.model_validate(
    {"id": "yz", "platform": "youzan", "api_base": "x", "kdt_id": "1", "client_id": "c", "client_secret": "s"}
)


def corp(corp_id: str) -> Corp:
    app = App(agent_id=7, secret="s", callback_token="t", callback_aes_key="A" * 43)
    return Corp(corp_id=corp_id, name="x", api_base="x", oauth_base="x", app=(app,), mall=(SHOP,))


def push(kind: str, number: int, msg: dict[str, Any]) -> bytes:
    envelope = {"kdt_id": 1, "type": kind, "msg_id": f"m{number}", "version": 5, "msg": quote(json.dumps(msg))}
    return json.dumps(envelope).encode()


def paid(number: int) -> bytes:
    order = {
        "order_info": {"tid": f"E{number}", "created": "2026-10-01 12:00:00", "pay_time": "2026-10-01 12:00:21"},
        "pay_info": {"payment": "119.00"},
        "orders": [{"oid": str(number), "sku_id": "sku1", "title": "面霜", "num": 1, "payment": "119.00"}],
        "buyer_info": {"yz_open_id": f"buyer{number}"},
    }
    return push("trade_TradePaid", number, {"full_order_info": order})


def shipped(number: int) -> bytes:
    msg = {"tid": "E1", "update_time": "2026-10-03 12:00:00"}
    return push("trade_TradeSellerShip", number, msg)


def poor(edge: Edge, corp_id: str, mall: Mall, message: Any, arrived_at: datetime) -> Message | None:
    """What a release before read: no shipments, no titles, no skus."""
    if message.kind == "trade_TradeSellerShip":
        return None
    fact: Any = youzan.state(edge, corp_id, mall, message, arrived_at)
    for line in fact.detail.lines if fact is not None else ():
        line.title, line.sku_id = "?", ""
    return fact  # type: ignore[no-any-return]


def adapter(state: Any, reading: int) -> Any:
    """Youzan's, with another reader."""
    own = {name: getattr(youzan, name) for name in ("MOST_BYTES", "KINDS", "verify", "open", "acknowledge")}
    return SimpleNamespace(**own, state=state, READING=reading)


@pytest.fixture(name="edge", scope="module")
def make_edge(jetstream: JetStreamContext, sealer: Sealer, identifiers: Identifiers) -> Edge:
    return Edge(jetstream, sealer, identifiers)


@pytest.fixture(name="corp_id")
def some_corp() -> str:
    """One of the test's own, so that nothing else in the streams is its."""
    return f"ww{uuid.uuid4().hex[:16]}"


async def take_in(edge: Edge, corp_id: str, reader: Any, *bodies: bytes) -> None:
    """As the webhook does."""
    for body in bodies:
        found = read(reader, edge, corp_id, SHOP, body, NOW)
        assert found is not None
        await edge.accept(found.fact, corp_id=corp_id, content=found.content)


async def stored(js: JetStreamContext, stream: str, corp_id: str) -> list[Received]:
    """The corp's mall facts in a stream, oldest first."""
    types = {type_of(found): found for found in archive.TYPES.values()}
    subscription = await js.pull_subscribe(archive.SUBJECT, stream=stream)
    try:
        left = (await subscription.consumer_info()).num_pending or 0
        messages = [m for _ in range(left) for m in await subscription.fetch(1, timeout=5)]
    finally:
        await subscription.unsubscribe()
    return [
        decode(types, message.subject, message.headers or {}, message.data)
        for message in messages
        if (message.headers or {}).get("corp-id") == corp_id
    ]


async def archived(js: JetStreamContext, corp_id: str, count: int) -> None:
    async def all_there() -> bool:
        return len(await stored(js, archive.STREAM, corp_id)) == count

    await until(all_there)


async def test_the_archive_is_made_once_and_widened_only(jetstream: JetStreamContext) -> None:
    source, name, subject = (f"{word}{uuid.uuid4().hex[:8]}" for word in ("S", "A", "s."))
    await bus.declare_streams(jetstream, {source: [f"{subject}.>"]}, 1)

    async def declare(days: float) -> dict[str, Any]:
        await bus.declare_archive(
            jetstream, name, source=source, subject=f"{subject}.x.>", max_age=days * 86400, replicas=1
        )
        return dict((await bus.ask(jetstream, f"STREAM.INFO.{name}", {}))["config"])

    try:
        first = await declare(180)
        assert (first["compression"], first["max_age"]) == ("s2", int(180 * 86400e9))
        assert await declare(30) == first, "an older release, or a smaller wish, shortens nothing"
        assert (await declare(365))["max_age"] == int(365 * 86400e9)
        await jetstream.publish(f"{subject}.x.1", b"kept")
        await jetstream.publish(f"{subject}.y.1", b"not kept")

        async def copied() -> bool:
            return bool((await jetstream.stream_info(name)).state.messages == 1)

        await until(copied)
    finally:
        await jetstream.delete_stream(name)
        await jetstream.delete_stream(source)


async def test_a_later_reader_states_what_it_reads_more_and_only_that(
    jetstream: JetStreamContext, edge: Edge, corp_id: str, rooms: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive.declare(jetstream, 180, 1)
    await take_in(edge, corp_id, adapter(poor, 1), paid(1), shipped(2), push("POINTS", 3, {}))
    await take_in(edge, corp_id, adapter(youzan.state, 1), paid(4))
    await archived(jetstream, corp_id, 4)
    monkeypatch.setitem(PLATFORMS, "youzan", adapter(youzan.state, 2))
    wanted = Wanted(corp(corp_id), SINCE)
    assert await reread(jetstream, edge, wanted) == Reread(messages=4, known=2, stated=2)

    facts = await stored(jetstream, "EDGE", corp_id)
    first, unread, _, same, richer, shipment = facts
    assert [type(fact.message) for fact in (richer, shipment)] == [pb.OrderPaid, pb.OrderShipped]
    assert (first.message.detail.lines[0].title, richer.message.detail.lines[0].title) == ("?", "面霜")
    assert richer.message.order.arrived_at == first.message.order.arrived_at, "it did not arrive anew"
    assert isinstance(unread.message, pb.MessageUnread)
    assert same.message.detail.lines[0].sku_id == "sku1"

    await archived(jetstream, corp_id, 6)
    assert (await reread(jetstream, edge, wanted)).messages == 4, "readings anew are not read again"
    assert len(await stored(jetstream, "EDGE", corp_id)) == 6, "and nothing is stated twice"

    (orders,) = [d for d in commerce.durables(timedelta(0)) if d.name == "commerce-record-on-order-message"]
    for sequence in (facts, facts[::-1]):
        async with rooms("commerce") as room:
            for fact in sequence:
                if type(fact.message) in orders.types:
                    assert await room.take(orders, [fact]) == 1, "consumers know the message, and take the reading"
            (line,) = await room.rows("select title from order_lines where order_id = 'E1'")
            (order,) = await room.rows("select shipped_at from orders where order_id = 'E1'")
            assert line["title"] == "面霜", "whichever came first"
            assert order["shipped_at"] is not None
            assert await room.take(orders, [richer]) == 0


async def test_only_what_is_asked_for_is_read(
    jetstream: JetStreamContext, edge: Edge, corp_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive.declare(jetstream, 180, 1)
    await take_in(edge, corp_id, adapter(poor, 1), paid(1), shipped(2))
    await archived(jetstream, corp_id, 2)
    monkeypatch.setitem(PLATFORMS, "youzan", adapter(youzan.state, 2))
    for wanted in (
        Wanted(corp(corp_id), NOW + timedelta(minutes=1)),
        Wanted(corp(corp_id), SINCE, mall_id="other"),
        Wanted(corp(CORP), SINCE, kind="next_years"),
    ):
        assert (await reread(jetstream, edge, wanted)).stated == 0
    assert (await reread(jetstream, edge, Wanted(corp(corp_id), SINCE, kind="trade_TradeSellerShip"))).stated == 1


def test_the_command_wants_a_time_with_its_zone(capsys: pytest.CaptureFixture[str]) -> None:
    asked = parse(["--corp", "ww1", "--since", "2026-11-01T00:00:00+08:00"])
    assert (asked.corp, asked.mall, asked.since) == ("ww1", "", datetime(2026, 10, 31, 16, tzinfo=UTC))
    with pytest.raises(SystemExit):
        parse(["--corp", "ww1", "--since", "2026-11-01"])
    assert "zone" in capsys.readouterr().err
