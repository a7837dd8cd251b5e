"""Whatever the door lets in, no consumer chokes on its length: every field at its bound, just above and far above, in
characters that neither shrink nor fit one byte, on real tables with their real indexes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import quote

from bihuan.mall.v1 import facts_pb2 as mall
from bihuan.wecom.v1 import facts_pb2 as wecom
from google.protobuf.message import Message

from chassis.facts import Received
from chassis.kernel.corps import Mall
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from deploy.local.home import SERVICES
from engagement.consumers import Handlers
from gateway.edge import Edge
from gateway.mall import youzan
from gateway.mall.fields import MOST_ID
from gateway.mall.reading import read as read_message
from gateway.mall.youzan_orders import MOST_LINES, MOST_OUTER
from gateway.wecom import events
from tests.conftest import CORP, received
from tests.integration.test_recorded_edge import House

ARRIVED = datetime(2026, 1, 6, tzinfo=UTC)
SHOP = Mall.model_validate(
    {"id": "y" * 40, "platform": "youzan", "api_base": "x", "kdt_id": "1", "client_id": "c", "client_secret": "s"}
)
KINDS = tuple(events.CONTACT_CHANGES)


def noise(random: Random, length: int) -> str:
    """Four bytes a character, hardly to be compressed; an emoji has no other case."""
    return "".join(chr(random.randrange(0x1F300, 0x1F5FF)) for _ in range(length))


def lengths(most: int) -> tuple[int, ...]:
    return (1, most, most + 1, 6000)


def said_by_wecom(edge: Edge, random: Random) -> Iterator[Message]:
    usual = {"Event": "change_external_contact", "CreateTime": "1767225600", "UserID": "anna", "State": "s"}
    for kind in KINDS:
        for field, most in events.MOST.items():
            for length in lengths(most) if kind == KINDS[0] else (most,):
                event = {**usual, "ChangeType": kind, "ExternalUserID": noise(random, 20), "WelcomeCode": "c"}
                yield events.read(edge, CORP, {**event, field: noise(random, length)}, "<xml/>", ARRIVED)
    for kind in ("create_user", "update_user", "delete_user", noise(random, 64)):
        for length in lengths(128):
            names = {"UserID": noise(random, length), "NewUserID": noise(random, length)}
            yield events.read(edge, CORP, {"Event": "change_contact", "ChangeType": kind, **names}, "", ARRIVED)


def order(random: Random, number: int, **changes: Any) -> dict[str, Any]:
    line = {"oid": str(number), "num": 1, "payment": "1.00", "price": "1.00"}
    line |= {name: value for name, value in changes.items() if name in ("oid", "title", *NUMBERS)}
    return {
        "order_info": {
            "tid": changes.get("tid", f"E{number}"), "created": "2026-01-05 10:00:00",
            "pay_time": changes.get("pay_time", "2026-01-05 10:00:07"),
        },
        "pay_info": {"payment": changes.get("payment", "1.00")},
        "orders": [{**line, "oid": f"{line['oid']}{n or ''}"} for n in range(changes.get("lines", 1))],
        "buyer_info": {"yz_open_id": changes.get("buyer", noise(random, 20)), "buyer_phone": "13912345678"},
        "address_info": {"delivery_province": changes.get("title", "")},
        "source_info": {"source": {"platform": changes.get("title", ""), "wx_entrance": changes.get("title", "")}},
    }  # fmt: skip


NUMBERS = {"item_id": MOST_ID, "sku_id": MOST_ID, "outer_item_id": MOST_OUTER, "outer_sku_id": MOST_OUTER}


def said_by_malls(edge: Edge, random: Random) -> Iterator[Message]:
    bounds = {"tid": MOST_ID, "oid": MOST_ID, "title": 200, "buyer": 256, **NUMBERS}
    changes: list[dict[str, Any]] = [
        {name: noise(random, length)} for name, most in bounds.items() for length in lengths(most)
    ]
    changes += [{"lines": count} for count in (0, MOST_LINES, MOST_LINES + 1, 1000)]
    changes += [{"payment": "99999999999.99"}, {"pay_time": "2099-12-31 23:59:59"}, {"pay_time": "9999-12-31 23:59:59"}]
    for number, change in enumerate(changes):
        full = order(random, number, **change)
        for kind in ("trade_TradeCreate", "trade_TradePaid"):
            yield said(edge, kind, number, {"full_order_info": full})
        tid, update = full["order_info"]["tid"], {"update_time": "2026-01-06 10:00:00"}
        step = {"tid": tid, "close_reason": change.get("title", ""), **update}
        for kind in ("trade_TradeSellerShip", "trade_TradeClose"):
            yield said(edge, kind, number, step)
        oid = change.get("oid", str(number))
        refund = {"refund_id": change.get("oid", f"R{number}"), "refunded_fee": "1.00", "oid": oid}
        yield said(edge, "trade_refund_RefundSuccess", number, {**step, **refund})
    for length in lengths(100):
        yield said(edge, noise(random, length), length, {})


def said(edge: Edge, kind: str, number: int, msg: dict[str, Any]) -> Message:
    envelope = {"kdt_id": 1, "type": kind, "msg_id": f"{kind}{number}", "version": 2**53 - 1}
    found = read_message(
        youzan, edge, CORP, SHOP, json.dumps({**envelope, "msg": quote(json.dumps(msg))}).encode(), ARRIVED
    )
    assert found is not None
    return found.fact


async def test_no_consumer_chokes_on_what_the_door_lets_in(
    rooms: Callable[..., Any], handlers: Handlers, sealer: Sealer, identifiers: Identifiers
) -> None:
    edge, random = Edge(None, sealer, identifiers), Random(7)  # type: ignore[arg-type]
    messages = [*said_by_wecom(edge, random), *said_by_malls(edge, random)]
    stream: list[Received] = [received(message, f"edge-{n:05d}") for n, message in enumerate(messages)]
    kept = [message for message in messages if isinstance(message, (wecom.UnknownEventReceived, mall.MessageUnread))]
    assert 50 < len(kept) < len(messages) / 2, "both sides of every bound are here"
    async with AsyncExitStack() as stack:
        made = {service: await stack.enter_async_context(rooms(service)) for service in SERVICES}
        house = House(made, handlers, sealer, identifiers)
        house._effects = []  # they ask the outside, which knows nobody of this name
        await house.live(stream, random, calm=False)
        (longest,) = await made["identity"].rows("select max(length(userid)) as characters from relations")
        assert longest["characters"] == events.MOST["UserID"]
        (longest,) = await made["commerce"].rows("select max(length(order_id)) as characters from orders")
        assert longest["characters"] == MOST_ID
