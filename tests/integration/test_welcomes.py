"""Welcomes as they are planned and sent: one per add, by the right app, counted by what may have been sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bihuan.acquisition.v1.facts_pb2 import CustomerAcquired

from chassis import scheduled
from chassis.errors import NotFound
from chassis.moments import stamp
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.app.welcomes import KIND, Welcomes
from engagement.consumers import Handlers
from tests import facts as f
from tests.conftest import CORP, Room, received

Rooms = Callable[..., Any]
NOW = datetime.now(UTC).replace(microsecond=0)
MAIN, SECOND = 0, 1000007
AWAY, GONE = "away", "gone"


class Customers:
    """send_welcome_msg: answers by a script (an errcode, AWAY or GONE), then takes everything."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.calls: list[tuple[int, str]] = []
        self.texts: list[str] = []

    async def send(
        self,
        corp_id: str,
        welcome_code: str,
        text: str,
        link: Mapping[str, str] | None,
        seconds: float,
        agent_id: int = 0,
    ) -> None:
        self.calls.append((agent_id, welcome_code))
        answer = self.script.pop(0) if self.script else 0
        if answer == AWAY:
            raise WeComAway("no answer")
        if answer == GONE:
            raise NotFound("APP_UNKNOWN")
        if answer:
            raise WeComError("externalcontact/send_welcome_msg", int(str(answer)), "")
        self.texts.append(text)


def told(
    sealer: Sealer, code: str, *, agent_id: int = MAIN, seconds: float = 0, arrived: datetime | None = None
) -> CustomerAcquired:
    moment = arrived or datetime.now(UTC)
    message = f.acquired(f"t-{code}", 1, "anna", 1, 0, sealed_code=sealer.seal(CORP, code), arrived=moment)
    message.added_at.CopyFrom(stamp(NOW + timedelta(seconds=seconds)))
    message.agent_id = agent_id
    return message


async def plan(room: Room, handlers: Handlers, *messages: CustomerAcquired) -> None:
    durable = handlers.welcome_durables()[0]
    await room.take(durable, [received(message, message.touch_id) for message in messages])


async def make_rule(room: Room, text: str = "您好") -> None:
    await room.pool.execute(
        "insert into welcome_rules (corp_id, welcome_rule_id, channel_id, text) values ($1, $2, null, $3)",
        CORP,
        f.uid("rule"),
        text,
    )


async def send_all(room: Room, customers: Customers, sealer: Sealer, *, crash: bool = False) -> None:
    """Works until nothing is due. `crash`: the first outcome is lost, and the lease runs out."""
    welcomes = Welcomes(room.outbox, customers, sealer)
    while claims := await due(room):
        for item in await welcomes.prepare(claims):
            outcome = await welcomes.call(item)
            if crash:
                crash = False
                await room.pool.execute("update due_rows set lease_until = now() - interval '1 second'")
            else:
                await welcomes.settle([outcome])


async def due(room: Room) -> Sequence[scheduled.Claim]:
    await room.pool.execute("update due_rows set due_at = now() where status = 'due'")
    return await scheduled.claim(room.pool, KIND, 1)


async def statuses(room: Room) -> list[tuple[object, object]]:
    rows = await room.rows("select agent_id, status from welcomes order by agent_id")
    return [(row["agent_id"], row["status"]) for row in rows]


@pytest.mark.parametrize("together", [True, False])
async def test_an_add_told_to_two_apps_is_welcomed_once_by_the_app_whose_code_it_is(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, together: bool
) -> None:
    customers = Customers()
    second, first = told(sealer, "b", agent_id=SECOND), told(sealer, "a")
    async with rooms("engagement") as room:
        await make_rule(room)
        for batch in [[second, first]] if together else [[second], [first]]:
            await plan(room, handlers, *batch)
        await plan(room, handlers, first, second)
        await send_all(room, customers, sealer)
        assert customers.calls == [(SECOND, "b")]
        assert await statuses(room) == [(MAIN, "ANOTHER_CODE"), (SECOND, "SENT")]


@pytest.mark.parametrize("refusal", [41050, 40003, GONE])
async def test_the_other_code_is_tried_when_the_first_surely_sent_nothing(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, refusal: object
) -> None:
    customers = Customers(refusal)
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"), told(sealer, "b", agent_id=SECOND))
        await send_all(room, customers, sealer)
        assert customers.calls == [(MAIN, "a"), (SECOND, "b")]
        assert (await statuses(room))[1] == (SECOND, "SENT")


async def test_a_code_that_comes_after_the_first_one_failed_is_tried(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    customers = Customers(41050)
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"))
        await send_all(room, customers, sealer)
        await plan(room, handlers, told(sealer, "b", agent_id=SECOND))
        await send_all(room, customers, sealer)
        assert await statuses(room) == [(MAIN, "LATE"), (SECOND, "SENT")]


@pytest.mark.parametrize("script", [(41051,), (AWAY, 41050), (-1, 41050)])
async def test_the_other_code_is_left_when_the_customer_was_or_may_have_been_welcomed(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, script: tuple[object, ...]
) -> None:
    customers = Customers(*script)
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"), told(sealer, "b", agent_id=SECOND))
        await send_all(room, customers, sealer)
        assert {code for _, code in customers.calls} == {"a"}
        assert (await statuses(room))[1] == (SECOND, "ANOTHER_CODE")


async def test_a_friend_who_comes_back_is_welcomed_again(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    customers = Customers()
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a", seconds=-3600))
        await plan(room, handlers, told(sealer, "b"))
        await send_all(room, customers, sealer)
        assert sorted(customers.calls) == [(MAIN, "a"), (MAIN, "b")]


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ((41051,), "REFUSED"),
        # A rival was sending, or our window was closed: nothing of ours went.
        ((41096, 41051), "REFUSED"),
        ((45009, 41051), "REFUSED"),
        ((45009, 41096, 42001, 41051), "REFUSED"),
        # Cut off, or an answer that does not say: it may well be ours.
        ((AWAY, 41051), "SENT"),
        ((-1, 41051), "SENT"),
        ((41096, AWAY, 41096, 41051), "SENT"),
    ],
)
async def test_already_welcomed_is_ours_only_if_a_call_of_ours_may_have_sent_it(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, script: tuple[object, ...], status: str
) -> None:
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"))
        await send_all(room, Customers(*script), sealer)
        assert await statuses(room) == [(MAIN, status)]


async def test_a_call_whose_outcome_a_crash_took_may_have_sent_it(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"))
        await send_all(room, Customers(0, 41051), sealer, crash=True)
        assert await statuses(room) == [(MAIN, "SENT")]


@pytest.mark.parametrize(("age", "at_once"), [(0, False), (16, True)])
async def test_a_late_callback_does_not_wait_for_a_name(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, age: float, at_once: bool
) -> None:
    async with rooms("engagement") as room:
        await make_rule(room, "{{ customer.name }}您好")
        now = datetime.now(UTC)
        message = told(sealer, "a", arrived=now)
        message.added_at.CopyFrom(stamp(now - timedelta(seconds=age)))
        await plan(room, handlers, message)
        claims = await scheduled.claim(room.pool, KIND, 1)
        assert bool(claims) is at_once
