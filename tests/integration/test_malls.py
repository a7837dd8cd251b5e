"""The malls of the configuration, and how they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bihuan.commerce.v1 import mall_service_pb2 as pb
from bihuan.mall.v1.facts_pb2 import MessageUnread
from nats.js import JetStreamContext

from chassis.kernel import caller
from chassis.kernel.corps import Corp, Corps
from chassis.last_seen import LastSeen
from chassis.moments import stamp
from commerce import consumers as commerce
from commerce.rpc.malls import MallServicer
from tests.conftest import CORP, Room, received
from tests.marking import corps
from tests.waiting import until

Rooms = Callable[[str], Any]
UNREAD = next(one for one in commerce.durables(timedelta(hours=1)) if one.name == "commerce-count-on-message-unread")
YOUZAN = {"platform": "youzan", "api_base": "http://x", "kdt_id": "1", "client_id": "c", "client_secret": "s"}
MALLS = (
    {"id": "flagship", "name": "旗舰店", "entry": {"title": "进店", "url": "https://shop.example/"}, **YOUZAN},
    {"id": "outlet", **YOUZAN},
)


def two_malls() -> Corps:
    (corp,) = corps()
    return Corps((Corp.model_validate(corp.model_dump() | {"mall": MALLS}),))


async def listed(room: Room, js: JetStreamContext) -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "anna", "bihuan-role": "FRONTLINE"})
    servicer = MallServicer(room.pool, two_malls(), LastSeen(js), {"youzan"})
    return (await servicer.ListMalls(pb.ListMallsRequest(), None)).malls


def unread(mall_id: str, kind: str, at: datetime) -> MessageUnread:
    return MessageUnread(corp_id=CORP, mall_id=mall_id, kind=kind, arrived_at=stamp(at))


async def test_malls_have_their_names_and_way_in(rooms: Rooms, jetstream: JetStreamContext) -> None:
    async with rooms("commerce") as room:
        flagship, outlet = await listed(room, jetstream)
    assert (flagship.mall_id, flagship.name, flagship.entry.url) == ("flagship", "旗舰店", "https://shop.example/")
    assert (outlet.mall_id, outlet.name, outlet.HasField("entry")) == ("outlet", "outlet", False)
    assert flagship.has_api
    assert not outlet.HasField("last_message_at")


async def test_a_mall_says_when_its_last_message_came(rooms: Rooms, jetstream: JetStreamContext) -> None:
    LastSeen(jetstream).note(CORP, "mall.flagship")

    async def seen() -> bool:
        flagship, outlet = await listed(room, jetstream)
        assert not outlet.HasField("last_message_at")
        return bool(flagship.HasField("last_message_at"))

    async with rooms("commerce") as room:
        await until(seen)


async def test_unread_messages_since_yesterday(rooms: Rooms, jetstream: JetStreamContext) -> None:
    now = datetime.now(UTC)
    async with rooms("commerce") as room:
        for number, (mall_id, kind, at) in enumerate(
            [
                ("flagship", "coupon", now - timedelta(days=3)),
                ("flagship", "coupon", now),
                ("flagship", "coupon", now),
                ("flagship", "gift", now),
                ("outlet", "gift", now - timedelta(days=3)),
            ]
        ):
            await room.take(UNREAD, [received(unread(mall_id, kind, at), f"u{number}")])
        await room.take(UNREAD, [received(unread("flagship", "gift", now), "u3")])
        # As the release before counts.
        await room.pool.execute("update unread_messages set messages = messages + 1 where kind = 'gift'")
        flagship, outlet = await listed(room, jetstream)
    assert (flagship.unread_messages, outlet.unread_messages) == (4, 0)
