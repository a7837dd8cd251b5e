"""Open pages are told which customers changed, once a corp and batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bihuan.commerce.v1.facts_pb2 import OrderAttributed
from bihuan.common.v1.money_pb2 import Money
from bihuan.staff.v1.facts_pb2 import NounChanged

from chassis.facts import Fact, type_of
from identity import consumers as identity
from identity.db import profiles
from tests import facts as f
from tests.conftest import CORP, Room, received
from tests.integration.test_recorded_edge import Recorded

Rooms = Callable[..., Any]
VALUES = next(one for one in identity.DURABLES if one.name == "identity-value-on-order-attributed")


async def changes(room: Room, stated: list[Fact]) -> list[NounChanged]:
    """What was told since this was asked last."""
    await room.outbox.drain()
    found = [NounChanged.FromString(one.payload) for one in stated if one.headers["ce-type"] == type_of(NounChanged)]
    stated.clear()
    assert all((one.corp_id, one.noun) == (CORP, "customers") for one in found)
    return found


def recording(room: Room) -> list[Fact]:
    stated: list[Fact] = []
    room.outbox = Recorded(room, "identity", stated)
    return stated


async def customers(room: Room) -> list[str]:
    rows = await room.rows("select customer_id::text as id from customers where merged_into is null order by 1")
    return [str(row["id"]) for row in rows]


async def add(room: Room, *contacts: int) -> None:
    await room.take(identity.CONTACTS, [received(f.added(one, "anna", one), f"add {one}") for one in contacts])


async def test_a_batch_tells_once_of_all_whom_it_names(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        stated = recording(room)
        await add(room, 1, 2, 3)
        (told,) = await changes(room, stated)
        assert list(told.ids) == await customers(room)
        await add(room, 1)
        assert await changes(room, stated) == [], "a fact that was taken before"


@pytest.mark.parametrize("contacts", [50, 51])
async def test_of_more_than_fifty_none_is_named(rooms: Rooms, contacts: int) -> None:
    async with rooms("identity") as room:
        stated = recording(room)
        await add(room, *range(contacts))
        (told,) = await changes(room, stated)
        assert len(told.ids) == (contacts if contacts <= 50 else 0)


async def test_the_worth_of_a_customer_is_told_when_it_is_another(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        await add(room, 1)
        stated = recording(room)
        await changes(room, stated)

        async def worth() -> int:
            async with room.pool.acquire() as connection:
                return (await profiles.whole(connection, CORP, await customers(room)))[0].net_fen

        attributed = OrderAttributed(
            corp_id=CORP,
            mall_id="yz",
            order_id="1",
            buyer_id=f.identifier("external_userid", 1).id,
            paid=Money(amount=100, currency="CNY"),
            version=2,
        )
        await room.take(VALUES, [received(attributed, "1")])
        (told,) = await changes(room, stated)
        assert list(told.ids) == await customers(room)
        assert await worth() == 100
        attributed.version = 1
        await room.take(VALUES, [received(attributed, "2")])
        assert await changes(room, stated) == [], "older than what is known"
        yen = OrderAttributed(
            corp_id=CORP,
            mall_id="yz",
            order_id="2",
            buyer_id=attributed.buyer_id,
            paid=Money(amount=9000, currency="JPY"),
            version=1,
        )
        await room.take(VALUES, [received(yen, "3")])
        assert await worth() == 100, "money of several currencies is never added up"
        await room.pool.execute("update order_values set currency = null where order_id = '1'")
        assert await worth() == 100, "as the release before writes it"
