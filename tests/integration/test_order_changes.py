"""Open pages are told which orders changed, once a corp and batch, also those that nobody earns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bihuan.staff.v1.facts_pb2 import NounChanged

from chassis.facts import Fact, type_of
from commerce import consumers as commerce
from tests import facts as f
from tests.conftest import CORP, received
from tests.integration.test_recorded_edge import Recorded

Rooms = Callable[..., Any]
ORDERS = next(one for one in commerce.durables(timedelta(hours=1)) if one.name == commerce.ORDERS)


@pytest.mark.parametrize(("orders", "named"), [(2, ["yz/o0", "yz/o1"]), (51, [])])
async def test_a_batch_of_orders_tells_once(rooms: Rooms, orders: int, named: list[str]) -> None:
    async with rooms("commerce") as room:
        stated: list[Fact] = []
        room.outbox = Recorded(room, "commerce", stated)
        batch = [
            received(f.paid(f"o{number}", number, 1000, 5, ordered=1), f"paid {number}") for number in range(orders)
        ]
        await room.take(ORDERS, batch)
        await room.take(ORDERS, batch)  # taken before: it changes nothing
        await room.outbox.drain()
        told = [NounChanged.FromString(one.payload) for one in stated if one.headers["ce-type"] == type_of(NounChanged)]
        assert [(one.corp_id, one.noun, list(one.ids)) for one in told] == [(CORP, "orders", named)]
