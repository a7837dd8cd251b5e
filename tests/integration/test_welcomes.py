"""Welcomes as they are planned and sent: one per add, by the right app, counted by what may have been sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bihuan.acquisition.v1.facts_pb2 import CustomerAcquired
from nats.js import JetStreamContext

from chassis import scheduled
from chassis.dead_letters.replay import replay_all
from chassis.effects import MOST_ATTEMPTS, EffectWorker
from chassis.errors import NotFound, Unavailable
from chassis.moments import stamp
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.app.welcomes import KIND, Welcomes, end_given_up
from engagement.consumers import Handlers
from engagement.db import welcomes as db
from tests import facts as f
from tests.conftest import CORP, Room, received

Rooms = Callable[..., Any]
NOW = datetime.now(UTC).replace(microsecond=0)
MAIN, SECOND = 0, 1000007
AWAY, UNSENT, GONE = "away", "unsent", "gone"


class Customers:
    """send_welcome_msg: answers by a script (an errcode, AWAY, UNSENT or GONE), then takes everything."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.calls: list[tuple[int, str]] = []
        self.texts: list[str] = []
        self.attachments: list[list[dict[str, Any]]] = []

    async def send(
        self,
        corp_id: str,
        welcome_code: str,
        text: str,
        attachments: Sequence[Mapping[str, Any]],
        seconds: float,
        agent_id: int = 0,
    ) -> None:
        self.calls.append((agent_id, welcome_code))
        answer = self.script.pop(0) if self.script else 0
        if answer == AWAY:
            raise WeComAway("no answer")
        if answer == UNSENT:
            raise WeComAway("no connection", sent=False)
        if answer == GONE:
            raise NotFound("APP_UNKNOWN")
        if answer:
            raise WeComError("externalcontact/send_welcome_msg", int(str(answer)), "")
        self.texts.append(text)
        self.attachments.append([dict(one) for one in attachments])


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
        # The call never went out.
        ((UNSENT, UNSENT, 41051), "REFUSED"),
        ((UNSENT, AWAY, UNSENT, 41051), "SENT"),
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


class Interrupted(Welcomes):
    """Does not come to its first calls."""

    def __init__(self, *arguments: Any, interruptions: Sequence[Exception]) -> None:
        super().__init__(*arguments)
        self.interruptions = list(interruptions)

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> Any:
        if self.interruptions:
            raise self.interruptions.pop()
        return await super().prepare(claims)


@pytest.mark.parametrize("interruption", [Unavailable("AWAY"), RuntimeError("a bug")])
async def test_an_attempt_that_came_to_no_call_sent_nothing(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, interruption: Exception
) -> None:
    """An outage between claim and call, or what is mended by the next attempt."""
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"))
        await room.pool.execute("update welcomes set deadline = now() + interval '1 hour'")
        welcomes = Interrupted(room.outbox, Customers(41051), sealer, interruptions=[interruption])
        await work_on(room, welcomes, rounds=2)
        assert await statuses(room) == [(MAIN, "REFUSED")]


async def work_on(room: Room, welcomes: Welcomes, *, rounds: int) -> None:
    """So many attempts, each as if the pause before it were over."""
    worker = EffectWorker(room.pool, KIND, welcomes, at_once=1)
    for _ in range(rounds):
        await room.pool.execute("update due_rows set due_at = now() where status = 'due'")
        with suppress(Unavailable):
            await worker.work()
        await worker.drain()


async def test_a_welcome_that_was_given_up_says_so_and_is_tried_again_by_a_replay(
    rooms: Rooms, jetstream: JetStreamContext, handlers: Handlers, sealer: Sealer
) -> None:
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"))
        bugs = [RuntimeError("a bug")] * MOST_ATTEMPTS
        await work_on(room, Interrupted(room.outbox, Customers(), sealer, interruptions=bugs), rounds=MOST_ATTEMPTS)
        await room.pool.execute("update welcomes set deadline = now() + interval '1 hour'")
        assert await end_given_up(room.outbox) == 0, "its code lives"
        await room.pool.execute("update welcomes set deadline = now()")
        assert await end_given_up(room.outbox) == 1
        assert await room.rows("select status, failure from welcomes") == [
            {"status": "FAILED", "failure": "RuntimeError"}
        ]
        async with room.pool.acquire() as connection:
            figures = await db.figures(connection, CORP, None, None)
            assert (figures["failed"], figures["open"]) == (1, 0)
            assert (await replay_all(connection, jetstream, CORP, KIND, seconds=5)).replayed == 1
        assert await end_given_up(room.outbox) == 0
        # The operator's bug is gone, and so that this can be seen, time has stood still.
        await room.pool.execute("update welcomes set deadline = now() + interval '1 hour'")
        await work_on(room, Welcomes(room.outbox, Customers(), sealer), rounds=1)
        assert await room.rows("select status, failure from welcomes") == [{"status": "SENT", "failure": None}]


async def test_a_welcome_whose_job_is_under_way_is_left_alone(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await make_rule(room)
        await plan(room, handlers, told(sealer, "a"))
        await room.pool.execute("update welcomes set deadline = now()")
        assert await end_given_up(room.outbox) == 0
        assert await due(room)
        assert await end_given_up(room.outbox) == 0


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
