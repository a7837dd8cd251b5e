"""Renamed members: what acquisition and engagement keep under the former userid moves, in any order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bihuan.identity.v1.facts_pb2 import StaffPlaced, StaffRenamed
from bihuan.staff.v1.facts_pb2 import Importance, NextStep, StaffAlerted

from acquisition.consumers import DURABLES
from chassis.effects import EffectWorker, OneByOne
from chassis.moments import stamp
from chassis.sealing import Sealer
from engagement.app import renames
from engagement.consumers import Handlers
from tests import facts as f
from tests.conftest import CORP, Room, received

Rooms = Callable[..., Any]


def renamed(former: str, userid: str, seconds: int) -> StaffRenamed:
    return StaffRenamed(corp_id=CORP, userid=userid, former_userid=former, at=stamp(f.at(seconds)))


CHAIN = [renamed("anna", "bea", 100), renamed("bea", "cleo", 200)]
# Whoever got the userid that became free is somebody else, also when they are renamed.
REUSED = [renamed("anna", "bea", 100), renamed("anna", "zoe", 200)]


async def make_code(room: Room, name: str, userids: list[str], seconds: int) -> None:
    await room.pool.execute(
        "insert into channels (corp_id, channel_id, name) values ($1, $2, 'c') on conflict do nothing",
        CORP,
        f.uid("channel"),
    )
    await room.pool.execute(
        """
        insert into live_codes (corp_id, live_code_id, channel_id, name, userids, state, created_at)
        values ($1, $2, $3, $4, $5, $4, $6)
        """,
        CORP,
        f.uid("code", name),
        f.uid("channel"),
        name,
        userids,
        f.at(0) + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (CHAIN, {"early": ["cleo", "dora"], "late": ["cleo"], "new": ["anna"]}),
        (REUSED, {"early": ["bea", "dora"], "late": ["bea"], "new": ["zoe"]}),
    ],
)
async def test_live_codes_move_to_whom_their_members_became(
    rooms: Rooms, said: list[StaffRenamed], found: dict[str, list[str]]
) -> None:
    durable = next(one for one in DURABLES if one.name == "acquisition-rename-on-staff-renamed")
    for order in orders(said):
        async with rooms("acquisition") as room:
            await make_code(room, "early", ["anna", "dora"], 0)
            await make_code(room, "late", ["bea"], 150)
            await make_code(room, "new", ["anna"], 150)
            for number, message in enumerate(order):
                await room.take(durable, [received(message, str(number))])
            rows = await room.rows("select name, userids from live_codes")
            assert {row["name"]: row["userids"] for row in rows} == found


def orders(renames: list[StaffRenamed]) -> Iterable[list[StaffRenamed]]:
    """Every order, and each with everything said twice."""
    for order in itertools.permutations(renames):
        yield list(order)
        yield [*order, *order]


# -- engagement


def alerted(alert_id: str, userid: str, seconds: int, *, fresh: bool = True) -> StaffAlerted:
    return StaffAlerted(
        alert_id=alert_id,
        corp_id=CORP,
        userid=userid,
        cause=alert_id,
        contact_id=f.uid("contact"),
        importance=Importance.IMPORTANCE_HIGH,
        next_step=NextStep.NEXT_STEP_ASK_WHY,
        at=stamp(f.at(seconds)),
        arrived_at=stamp(datetime.now(UTC) if fresh else f.at(seconds)),
        order_refunded=StaffAlerted.OrderRefunded(order_id="E", refund_id="R"),
    )


async def test_alerts_move_to_whom_their_recipient_became(rooms: Rooms, handlers: Handlers) -> None:
    """Those of a new member with the old userid stay; one that is told late under it moves."""
    messages = [
        *CHAIN,
        alerted("old", "anna", 0, fresh=False),
        alerted("open", "anna", 50),
        alerted("late", "anna", 130),
        alerted("between", "bea", 150),
        alerted("of the new one", "anna", 500),
    ]
    expected = {"old": "cleo", "open": "cleo", "late": "cleo", "between": "cleo", "of the new one": "anna"}
    for order in itertools.islice(itertools.permutations(messages), 0, None, 251):
        async with rooms("engagement") as room:
            for number, message in enumerate(order):
                await take(room, handlers, message, str(number))
            rows = await room.rows("select alert_id, userid from alerts")
            assert {row["alert_id"]: row["userid"] for row in rows} == expected
            due = await room.rows("select key from due_rows where kind = 'app_message'")
            assert {"anna", "cleo"} <= {row["key"] for row in due}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # Another member takes the userid that became free, from the start or by a rename of their own.
        (REUSED, {"former": "bea", "next": "zoe", "other": "cara"}),
        (
            [renamed("anna", "bea", 100), renamed("cara", "anna", 200)],
            {"former": "bea", "next": "anna", "other": "anna"},
        ),
        (
            [renamed("anna", "bea", 100), renamed("cara", "anna", 200), renamed("anna", "zoe", 300)],
            {"former": "bea", "next": "zoe", "other": "zoe"},
        ),
    ],
)
async def test_alerts_of_a_reused_userid_are_whose_they_were_in_any_order(
    rooms: Rooms, handlers: Handlers, said: list[StaffRenamed], expected: dict[str, str]
) -> None:
    told = [alerted("former", "anna", 50), alerted("next", "anna", 190), alerted("other", "cara", 50)]
    for order in itertools.permutations(said):
        for at in range(len(order) + 1):
            async with rooms("engagement") as room:
                messages = [*order[:at], *told, *order[at:]]
                for number, message in enumerate(messages):
                    await take(room, handlers, message, str(number))
                rows = await room.rows("select alert_id, userid from alerts")
                assert {row["alert_id"]: row["userid"] for row in rows} == expected, messages


async def test_one_cause_is_one_alert_before_and_after_a_rename(rooms: Rooms, handlers: Handlers) -> None:
    """Whoever states alerts may learn of the rename after the moved relation, and states the cause anew."""
    former, present = alerted("A", "anna", 50), alerted("B", "bea", 50)
    former.cause = present.cause = "order_refunded/yz/E/R"
    for order in itertools.permutations([former, CHAIN[0], present]):
        if order[-1] is CHAIN[0]:
            continue  # nobody can know yet
        async with rooms("engagement") as room:
            for number, message in enumerate(order):
                await take(room, handlers, message, str(number))
            assert [row["userid"] for row in await room.rows("select userid from alerts")] == ["bea"]


async def test_a_welcome_and_a_name_move(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    now = datetime.now(UTC)
    acquired = f.acquired("t", 1, "anna", 1, 0, sealed_code=sealer.seal(CORP, "code"), arrived=now)
    acquired.added_at.CopyFrom(stamp(now))
    moved = renamed("anna", "bea", 0)
    moved.at.CopyFrom(stamp(now))
    async with rooms("engagement") as room:
        await room.pool.execute(
            "insert into welcome_rules (corp_id, welcome_rule_id, channel_id, text) values ($1, $2, null, 'hi')",
            CORP,
            f.uid("rule"),
        )
        placed = StaffPlaced(corp_id=CORP, userid="anna", sealed_name=b"name", active=True, version=5)
        for message in (placed, acquired, moved):
            await take(room, handlers, message, type(message).__name__)
        assert await room.rows("select userid from welcomes") == [{"userid": "bea"}]
        names = await room.rows("select userid, sealed_name from staff order by 1")
        assert [(row["userid"], row["sealed_name"]) for row in names] == [("anna", b"name"), ("bea", b"name")]
        await take(room, handlers, StaffPlaced(corp_id=CORP, userid="bea", sealed_name=b"new", version=1), "2")
        assert await room.rows("select sealed_name from staff where userid = 'bea'") == [{"sealed_name": b"new"}]


async def test_welcomes_of_every_outcome_move_in_any_order(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    """Also one that is told late under the former userid; not that of a new member who has it."""
    welcomed = [
        f.acquired(f"t{n}", n, "anna", 1, seconds, sealed_code=sealer.seal(CORP, f"code {n}"))
        for n, seconds in enumerate((50, 60, 150, 250))
    ]
    async with rooms("engagement") as room:
        for order in ([*REUSED, *welcomed], [*welcomed, *REUSED], [*welcomed[:1], *REUSED, *welcomed[1:]]):
            await room.pool.execute("truncate welcomes, staff_renames, due_rows, inbox")
            for number, message in enumerate(order):
                await take(room, handlers, message, str(number))
            rows = await room.rows("select userid, status from welcomes order by added_at")
            assert [row["userid"] for row in rows] == ["bea", "bea", "zoe", "anna"]
            assert {row["status"] for row in rows} == {"WITHOUT_RULE"}


async def test_a_rename_that_the_release_before_took_is_followed(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    """It moves what is open, and leaves ended welcomes where they are."""
    async with rooms("engagement") as room:
        welcomed = f.acquired("t", 1, "anna", 1, 50, sealed_code=sealer.seal(CORP, "code"))
        await take(room, handlers, welcomed, "t")
        await room.pool.execute(
            "insert into staff_renames (corp_id, former_userid, at, userid) values ($1, 'anna', $2, 'bea')",
            CORP,
            f.at(100),
        )
        assert await renames.catch_up(room.outbox) == 1
        worker = EffectWorker(room.pool, renames.KIND, OneByOne(renames.Renaming(room.outbox).perform), at_once=1)
        assert await worker.work() == 1
        await worker.drain()
        assert await room.rows("select userid from welcomes") == [{"userid": "bea"}]
        assert await renames.catch_up(room.outbox) == 0
        await take(room, handlers, CHAIN[0], "renamed")
        assert await renames.catch_up(room.outbox) == 0


async def test_what_was_on_its_way_moves_a_little_later(rooms: Rooms, handlers: Handlers) -> None:
    async with rooms("engagement") as room:
        await take(room, handlers, CHAIN[0], "renamed")
        # A transaction that had begun before, or a replica of the release before.
        await room.pool.execute(
            """
            insert into alerts (
                corp_id, alert_id, userid, kind, contact_id, mall_id, order_id, amount_fen, at, arrived_at, status
            )
            values ($1, 'A', 'anna', 'ALERT_KIND_ORDER_PAID', $2, 'yz', 'E', 1, $3, now(), 'OPEN')
            """,
            CORP,
            f.uid("contact"),
            f.at(0),
        )
        await room.pool.execute("update due_rows set due_at = now()")
        worker = EffectWorker(room.pool, renames.KIND, OneByOne(renames.Renaming(room.outbox).perform), at_once=1)
        assert await worker.work() == 1
        await worker.drain()
        assert await room.rows("select userid from alerts") == [{"userid": "bea"}]


async def take(room: Room, handlers: Handlers, message: Any, fact_id: str) -> None:
    for durable in (*handlers.welcome_durables(), *handlers.alert_durables()):
        if type(message) in durable.types:
            await room.take(durable, [received(message, fact_id)])
