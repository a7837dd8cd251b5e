"""GMV: by hand, as of any moment, guests included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bihuan.commerce.v1 import gmv_service_pb2 as pb

from chassis.errors import Invalid
from chassis.kernel import caller
from commerce import consumers as commerce
from commerce.db import gmv
from commerce.rpc.gmv import GmvServicer
from tests import facts as f
from tests.conftest import CORP, Room
from tests.integration.test_any_order import numbered
from tests.marking import attribution_queue, work_off

Rooms = Callable[[str], Any]
MESSAGES = [
    f.assigned(0, [("external_userid", 0), ("yz_open_id", 0), ("yz_open_id", 1)], 1),
    f.related(0, "anna", [(0, None)], 1),
    f.acquired("t", 0, "anna", 1, 0),
    # One person's two accounts, each with an order; one of them is given back in part, later.
    f.paid("first", 0, 1000, 10, ordered=5),
    f.paid("second", 1, 500, 20, ordered=15),
    f.refunded("first", "r", 300, 40),
    # Somebody whom identity has not placed, and guests.
    f.paid("unplaced", 2, 200, 20, ordered=16),
    f.paid("guest", None, 70, 21, ordered=17),
    f.paid("another", None, 30, 22, ordered=18),
    f.created("unpaid", 0, 900, 23),
    f.created("closed", 0, 900, 24),
    f.closed("closed", 25),
    f.shipped("second", 30),
]


async def fill(room: Room, *more: Any) -> None:
    for fact in numbered([*MESSAGES, *more]):
        for durable in commerce.durables(timedelta(hours=1)):
            if type(fact.message) in durable.types:
                await room.take(durable, [fact])
    await work_off(attribution_queue(room.outbox))


async def test_gmv_by_hand(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await fill(room)
        async with room.pool.acquire() as connection:
            now = dict((await gmv.totals(connection, CORP, None))["CNY"])
            then = dict((await gmv.totals(connection, CORP, f.at(20)))["CNY"])
            statuses = await gmv.by_status(connection, CORP, None)
            earlier = await gmv.by_status(connection, CORP, f.at(29))
            staff = [tuple(row) for row in await gmv.shares(connection, CORP, None, "CNY", "userid")]
            channels = [tuple(row) for row in await gmv.shares(connection, CORP, f.at(20), "CNY", "channel_id")]
    assert now == {"currency": "CNY", "orders": 5, "gmv": 1800, "refunded": 300, "buyers": 2, "repeat_buyers": 1}
    assert then == {"currency": "CNY", "orders": 3, "gmv": 1700, "refunded": 0, "buyers": 2, "repeat_buyers": 1}
    assert statuses == {"CLOSED": 1, "CREATED": 1, "PAID": 3, "PARTLY_REFUNDED": 1, "SHIPPED": 1}
    assert earlier == {"CLOSED": 1, "CREATED": 1, "PAID": 5}
    assert staff == [("anna", 2, 1500, 300), (None, 3, 300, 0)]
    assert channels == [(f.uid("channel", 1), 2, 1500, 0), (None, 1, 200, 0)]


async def test_currencies_are_never_added_up(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await fill(
            room,
            f.paid("dollars", 0, 7000, 20, ordered=15, currency="USD"),
            f.refunded("dollars", "rd", 1000, 40, currency="USD"),
        )
        caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})
        figures = GmvServicer(room.pool)
        plain = await figures.GetOrderFigures(pb.GetOrderFiguresRequest(), None)
        dollars = await figures.GetOrderFigures(pb.GetOrderFiguresRequest(currency="USD"), None)
        none = await figures.GetOrderFigures(pb.GetOrderFiguresRequest(currency="EUR"), None)
        staff = await figures.GetGmvByStaff(pb.GetGmvByStaffRequest(currency="USD"), None)
        channels = await figures.GetGmvByChannel(pb.GetGmvByChannelRequest(), None)
        with pytest.raises(Invalid) as refused:
            await figures.GetOrderFigures(pb.GetOrderFiguresRequest(currency="dollar"), None)
    assert plain.currencies == dollars.currencies == none.currencies == ["CNY", "USD"]
    assert (plain.paid_orders, plain.gmv_paid.amount, plain.net.amount, plain.net.currency) == (5, 1800, 1500, "CNY")
    assert (dollars.paid_orders, dollars.gmv_paid.amount, dollars.net.amount, dollars.net.currency) == (
        1, 7000, 6000, "USD",
    )  # fmt: skip
    assert (dollars.buyers, dollars.repeat_buyers) == (1, 0)
    assert (none.gmv_paid.amount, none.gmv_paid.currency) == (0, "EUR")
    assert not none.HasField("average_order_value")
    assert [(one.key, one.gmv_paid.amount, one.refunded.amount) for one in staff.staff] == [("anna", 7000, 1000)]
    assert sum(one.gmv_paid.amount for one in channels.channels) == 1800
    assert refused.value.field == "currency"
