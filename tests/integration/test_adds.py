"""Adds as acquisition takes them: several apps, provisional and whole, and the employee who is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bihuan.acquisition.v1.facts_pb2 import AcquisitionKind, CustomerAcquired
from bihuan.staff.v1.facts_pb2 import Importance, StaffAlerted
from bihuan.wecom.v1.facts_pb2 import ContactAdded
from nats.js import JetStreamContext

from acquisition.app.touches import NEWS
from acquisition.consumers import DURABLES
from chassis.moments import stamp
from chassis.outbox import Outbox, Tx
from tests import facts as f
from tests.conftest import Room, received

Rooms = Callable[..., Any]
ACQUIRE = DURABLES[0]
NOW = datetime.now(UTC).replace(microsecond=0)


class Stated(Outbox):
    """Remembers what was stated."""

    def __init__(self, room: Room, js: JetStreamContext) -> None:
        super().__init__(room.pool, js, "acquisition")
        self.said: list[Any] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        async with super().transaction() as tx:
            yield tx
        self.said += tx.facts


def added(seconds: float, *, arrived: datetime = NOW, agent_id: int = 0, half: bool = False) -> ContactAdded:
    message = f.added(1, "anna", 0, half=half)
    message.at.CopyFrom(stamp(NOW + timedelta(seconds=seconds)))
    message.arrived_at.CopyFrom(stamp(arrived))
    message.agent_id = agent_id
    message.sealed_welcome_code = f"code of {agent_id}".encode()
    return message


async def stated_of(
    rooms: Rooms, js: JetStreamContext, batches: Sequence[dict[str, ContactAdded]]
) -> tuple[list[Any], list[Any]]:
    """CustomerAcquired and StaffAlerted, as the batches (id → add) make them."""
    async with rooms("acquisition") as room:
        room.outbox = stated = Stated(room, js)
        for batch in batches:
            await room.take(ACQUIRE, [received(message, identity) for identity, message in batch.items()])
        acquired = [CustomerAcquired.FromString(x.payload) for x in stated.said if "CustomerAcquired" in x.subject]
        alerts = [StaffAlerted.FromString(x.payload) for x in stated.said if "StaffAlerted" in x.subject]
        return acquired, alerts


@pytest.mark.parametrize("together", [True, False])
async def test_one_add_told_to_two_apps_is_one_touch_and_keeps_both_codes(
    rooms: Rooms, jetstream: JetStreamContext, together: bool
) -> None:
    told = {"first": added(0, agent_id=0), "second": added(0, agent_id=1000007)}
    batches = [told] if together else [{name: one} for name, one in told.items()]
    acquired, alerts = await stated_of(rooms, jetstream, batches)
    assert {(one.touch_id, one.kind, one.agent_id, one.sealed_welcome_code) for one in acquired} == {
        ("first", AcquisitionKind.ACQUISITION_KIND_NEW, 0, b"code of 0"),
        ("second", AcquisitionKind.ACQUISITION_KIND_CONFIRMED, 1000007, b"code of 1000007"),
    }
    assert len(alerts) == 1


async def test_an_employee_is_told_once_of_an_add_whatever_is_said_of_it_later(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    """The earlier second comes late: the touch that is counted is another one then."""
    acquired, alerts = await stated_of(
        rooms,
        jetstream,
        [{"full": added(1)}, {"half": added(0, half=True)}, {"full": added(1), "half": added(0, half=True)}],
    )
    newest = {one.touch_id: one for one in sorted(acquired, key=lambda one: one.version)}
    assert newest["half"].kind == AcquisitionKind.ACQUISITION_KIND_NEW
    assert newest["full"].kind == AcquisitionKind.ACQUISITION_KIND_CONFIRMED
    assert len(alerts) == 1
    assert alerts[0].importance == Importance.IMPORTANCE_LOW
    assert not alerts[0].friend_added.returning


async def test_a_friend_who_returns_is_told_as_one(rooms: Rooms, jetstream: JetStreamContext) -> None:
    _, alerts = await stated_of(rooms, jetstream, [{"first": added(-86400)}, {"again": added(0)}])
    assert [one.friend_added.returning for one in alerts] == [False, True]
    assert len({one.alert_id for one in alerts}) == 2


async def test_what_arrived_long_ago_is_no_news(rooms: Rooms, jetstream: JetStreamContext) -> None:
    acquired, alerts = await stated_of(rooms, jetstream, [{"old": added(0, arrived=NOW - NEWS)}])
    assert len(acquired) == 1
    assert alerts == []
