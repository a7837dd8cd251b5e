"""A channel's name as others hear of it, whoever made the channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bihuan.acquisition.v1.facts_pb2 import ChannelChanged
from bihuan.staff.v1.facts_pb2 import Importance, NextStep, StaffAlerted
from nats.js import JetStreamContext

from acquisition import restate as acquisition_restate
from acquisition.app.channels import state_unstated
from acquisition.db import channels as db
from chassis.moments import stamp
from chassis.restate import restate
from chassis.sealing import Sealer
from engagement.consumers import Handlers
from tests import facts as f
from tests.conftest import CORP, Room, received
from tests.integration.test_adds import Stated
from tests.integration.test_alerts import listed

Rooms = Callable[..., Any]
NAMES = ["自然流量", "门店"]


def names(stated: Stated) -> list[str]:
    return [ChannelChanged.FromString(x.payload).name for x in stated.said if "ChannelChanged" in x.subject]


async def test_every_channel_is_stated_once_and_again_when_it_changes(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    """The default one too, and one that the release before makes."""
    async with rooms("acquisition") as room:
        outbox = Stated(room, jetstream)
        async with room.pool.acquire() as connection:
            await db.ensure_default(connection, [CORP])
        await room.pool.execute(
            "insert into channels (corp_id, channel_id, name) values ($1, $2, '门店')", CORP, f.uid("channel", 1)
        )
        assert await state_unstated(outbox) == 2
        assert sorted(names(outbox)) == sorted(NAMES)
        assert await state_unstated(outbox) == 0
        await room.pool.execute("update channels set name = '网店', version = version + 1 where name = '门店'")
        assert await state_unstated(outbox) == 1
        assert names(outbox)[2:] == ["网店"]
        stated = await restate(outbox, acquisition_restate.RESTATEMENTS)
        assert stated == {"ChannelChanged": 2, "CustomerAcquired": 0}
        assert sorted(names(outbox)[3:]) == sorted(["自然流量", "网店"])


async def test_an_alert_names_the_channel_that_a_friend_came_through(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    """As it is called by now, in whichever order that is told."""
    now = stamp(datetime.now(UTC))
    alert = StaffAlerted(
        alert_id="A",
        corp_id=CORP,
        userid="anna",
        cause="friend_added/t",
        contact_id=f.uid("external_userid", 1),
        importance=Importance.IMPORTANCE_LOW,
        next_step=NextStep.NEXT_STEP_GREET,
        at=now,
        arrived_at=now,
        friend_added=StaffAlerted.FriendAdded(channel_id=f.uid("channel", 1)),
    )
    old, new = (
        ChannelChanged(corp_id=CORP, channel_id=f.uid("channel", 1), name=name, version=version)
        for version, name in enumerate(("门店", "网店"), 1)
    )
    async with rooms("engagement") as room:
        await take(room, handlers, alert, "alert")
        assert await sentence(room, sealer) == "客户 添加您为好友，可打个招呼"
        for number, message in enumerate((new, old, new)):
            await take(room, handlers, message, str(number))
        assert await sentence(room, sealer) == "客户 通过「网店」添加您为好友，可打个招呼"


async def sentence(room: Room, sealer: Sealer) -> str:
    (alert,) = (await listed(room, sealer)).alerts
    return str(alert.sentence)


async def take(room: Room, handlers: Handlers, message: Any, fact_id: str) -> None:
    for durable in handlers.alert_durables():
        if type(message) in durable.types:
            await room.take(durable, [received(message, fact_id)])
