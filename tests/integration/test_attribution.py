"""Attribution in SQL says what the pure rule says, over generated histories on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from bihuan.commerce.v1.facts_pb2 import OrderAttributed
from bihuan.commerce.v1.order_service_pb2 import (
    RELATION_VERDICT_CHOSEN,
    TOUCH_VERDICT_CHOSEN,
    ExplainOrderRequest,
)
from bihuan.identity.v1.facts_pb2 import StaffRenamed
from bihuan.staff.v1.facts_pb2 import StaffAlerted
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chassis import dead_letters
from chassis.facts import Fact, subject_of
from chassis.kernel import caller
from chassis.kernel.corps import Corps
from chassis.moments import stamp
from chassis.outbox import Outbox, Tx
from chassis.parking import Parking
from chassis.pool import Row
from chassis.work_queue import WorkQueue, put_back
from commerce import consumers as commerce
from commerce.app import attribution
from commerce.domain.attribution import Span, Touch, Window, attribute
from commerce.rpc.orders import OrderServicer
from tests import facts as f
from tests.conftest import CORP, Room, examples, received
from tests.integration.test_any_order import live_through, numbered
from tests.marking import attribution_queue, corps, work_off

Rooms = Callable[[str], Any]
HOUR = 3600
DAYS = 2
ZONE = "Asia/Shanghai"
DURABLES = commerce.durables(timedelta(hours=1))


@dataclass
class Attributing:
    """Commerce's queue, and what it stated."""

    outbox: Outbox
    known: Corps
    stated: list[OrderAttributed] = field(default_factory=list)
    alerts: list[StaffAlerted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rule = attribution.Attribution(self.known)
        parking = Parking(self.outbox.pool)
        self._queue = WorkQueue(self.outbox, parking, "attribution", "attribution_marks", self._handle, key="mark_id")

    async def work(self, room: Room) -> None:
        await work_off(self._queue)

    async def _handle(self, tx: Tx, rows: Sequence[Row]) -> None:
        await self._rule.attribute(tx, rows)
        for fact in tx.facts:
            self._hear(fact)

    def _hear(self, fact: Fact) -> None:
        if fact.subject == subject_of(OrderAttributed):
            self.stated.append(OrderAttributed.FromString(fact.payload))
        if fact.subject.startswith(subject_of(StaffAlerted)):
            self.alerts.append(StaffAlerted.FromString(fact.payload))

    def latest(self) -> dict[str, OrderAttributed]:
        found: dict[str, OrderAttributed] = {}
        for said in sorted(self.stated, key=lambda one: one.version):
            found[said.order_id] = said
        return found


# -- histories, over so few moments that adds, ends and payments meet; a window of two days

# Business days end 14 hours after the morning of the tests: on both sides of three such ends, to the second.
moments = st.sampled_from([0, 1, *(14 * HOUR + day * 24 * HOUR + second for day in (0, 2, 3) for second in (-1, 0, 1))])
contacts = st.integers(0, 2)
employees = st.sampled_from(["anna", "bob", "cleo"])
orders = st.sampled_from([f"o{n}" for n in range(8)])
buyers = st.integers(0, 2)


@st.composite
def spans(draw: Any) -> list[tuple[int, int | None]]:
    times = sorted(draw(st.lists(moments, min_size=1, max_size=4, unique=True)))
    pairs = [(a, b) for a, b in zip(times[::2], [*times[1::2], None], strict=False)]
    return pairs


def transfer(contact: int, giver: str, taker: str, at: int, version: int) -> list[Any]:
    """The giver's relation ends, and the taker's begins, at one moment."""
    return [f.related(contact, giver, [(-1, at)], version), f.related(contact, taker, [(at, None)], version + 1)]


def tied(one: str, other: str, contact: int, moment: int, version: int) -> list[Any]:
    """Two employees add one customer at one moment."""
    return [
        f.related(contact, one, [(moment, None)], version),
        f.related(1 - contact % 2, other, [(moment, None)], version + 1),
    ]


def at_the_edge(order: str, contact: int, end: int, touched: int, paid: int) -> list[Any]:
    """Two touches about the end of a business day, and a payment about the end of their window or a day later."""
    touch, close = 14 * HOUR + end * 24 * HOUR + touched, 14 * HOUR + (end + DAYS) * 24 * HOUR
    return [
        f.acquired(f"a{contact}{touch}", contact, "anna", end, touch),
        f.acquired(f"b{contact}{touch}", contact, "bob", end + 1, touch),
        f.paid(order, 0, 1000, close + paid, ordered=touch),
    ]


def buys(order: str, buyer: int, one: int, other: int, corrected: int | None) -> list[Any]:
    """Ordered, and paid then or later; perhaps under a corrected buyer."""
    ordered, at = sorted((one, other))
    said = [f.created(order, buyer, 1000, ordered), f.paid(order, buyer, 1000, at, ordered=ordered)]
    if corrected is not None:
        said.append(f.created(order, corrected, 1000, ordered, version=at + 1))
    return said


versions = st.integers(3, 9999)
# Two customers to begin with; identity may say otherwise later.
PEOPLE = [
    f.assigned(0, [("external_userid", 0), ("external_userid", 1), ("yz_open_id", 0)], 1),
    f.assigned(1, [("external_userid", 2), ("yz_open_id", 1), ("yz_open_id", 2)], 2),
]
histories = st.lists(
    st.one_of(
        st.builds(lambda c, e, s, v: [f.related(c, e, s, v)], contacts, employees, spans(), versions),
        st.builds(transfer, contacts, employees, employees, moments, versions),
        st.builds(
            lambda c, e, ch, s, confirms: [f.acquired(f"t{c}{e}{ch}{s}{confirms}", c, e, ch, s, confirmation=confirms)],
            contacts, employees, st.integers(0, 2), moments, st.booleans(),
        ),
        st.builds(tied, employees, employees, st.integers(0, 1), moments, versions),
        st.builds(
            at_the_edge, orders, st.integers(0, 1), st.integers(0, 3), st.integers(-1, 1),
            st.sampled_from([-1, 0, 1, 24 * HOUR - 1, 24 * HOUR, 24 * HOUR + 1]),
        ),
        st.builds(buys, orders, buyers, moments, moments, st.one_of(st.none(), buyers)),
        st.builds(lambda o, b, s: [f.created(o, b, 1000, s)], orders, buyers, moments),
        st.builds(lambda o, fen, s: [f.refunded(o, f"r{o}{fen}", fen, s)], orders, st.integers(1, 700), moments),
        st.builds(
            lambda customer, c, b, v: [f.assigned(customer, [("external_userid", c), ("yz_open_id", b)], v)],
            st.integers(0, 1), contacts, buyers, versions,
        ),
    ),
    min_size=6,
    max_size=30,
).map(lambda parts: PEOPLE + [message for part in parts for message in part])  # fmt: skip


def newest(messages: Sequence[Any], kind: str, key: Callable[[Any], Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for message in messages:
        if message.DESCRIPTOR.name == kind:
            found[key(message)] = max(found.get(key(message), message), message, key=lambda m: m.version)
    return found


def _statement(message: Any, number: int) -> tuple[str, int]:
    name = message.DESCRIPTOR.name
    return name, message.version if name in ("RelationChanged", "IdentifiersAssigned") else number


def when(stamp: Any) -> datetime:
    moment: datetime = stamp.ToDatetime(UTC)
    return moment


async def expected(room: Room, messages: Sequence[Any], window: Window) -> dict[str, Any]:
    """What the rule says of the orders as they are; what they are is another test's."""
    customer: dict[str, tuple[int, str]] = {}
    for message in messages:
        if message.DESCRIPTOR.name == "IdentifiersAssigned":
            for one in message.identifier_ids:
                customer[one] = max(customer.get(one, (0, "")), (message.version, message.customer_id))
    relations = newest(messages, "RelationChanged", lambda m: (m.contact_id, m.userid)).values()
    touches = newest(messages, "CustomerAcquired", lambda m: m.touch_id).values()
    found = {}
    for order in await room.rows("select * from orders where created_at is not null"):
        person = customer.get(str(order["buyer_id"]), (0, None))[1]
        mine = {one for one, (_, of) in customer.items() if of == person and person is not None}
        found[order["order_id"]] = attribute(
            order["created_at"],  # type: ignore[arg-type]
            order["paid_at"],  # type: ignore[arg-type]
            [
                Span(m.userid, m.contact_id, when(s.added_at), when(s.ended_at) if s.HasField("ended_at") else None)
                for m in relations
                if m.contact_id in mine
                for s in m.spans
            ],
            [Touch(m.touch_id, m.channel_id, when(m.added_at), m.kind == 3) for m in touches if m.contact.id in mine],
            window,
        )
    return found


async def explained(room: Room, known: Corps, order_id: str) -> tuple[str | None, str | None]:
    """The employee and the channel that an explanation says were chosen."""
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})
    request = ExplainOrderRequest(mall_id="yz", order_id=order_id)
    said = await OrderServicer(room.pool, known).ExplainOrder(request, None)
    (userid,) = [one.userid for one in said.relations if one.verdict == RELATION_VERDICT_CHOSEN] or [None]
    (channel_id,) = [one.channel_id for one in said.touches if one.verdict == TOUCH_VERDICT_CHOSEN] or [None]
    return userid, channel_id


# Shrinking a failure would take a database a step.
@settings(max_examples=examples(25), phases=[Phase.explicit, Phase.generate])
@given(histories, st.integers())
async def test_sql_says_what_the_rule_says(rooms: Rooms, messages: list[Any], seed: int) -> None:
    known = corps(days=DAYS, timezone=ZONE)
    window = attribution.Attribution(known)._windows[CORP]
    # One version is one statement of identity's: of two that share it, only one was ever made.
    messages = list({_statement(message, number): message for number, message in enumerate(messages)}.values())
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, known)
        await live_through(room, DURABLES, numbered(messages), Random(seed), attributing.work)
        rule = await expected(room, messages, window)
        rows = await room.rows("select * from attributions")
        sql = {row["order_id"]: row for row in rows}
        assert {order: (row["userid"], row["contact_id"], row["channel_id"]) for order, row in sql.items()} == {
            order: (said.userid, said.contact_id, said.channel_id) for order, said in rule.items()
        }
        for order_id, said in attributing.latest().items():
            row = sql[order_id]
            order = (await room.rows("select * from orders where order_id = $1", order_id))[0]
            assert said.version == row["version"]
            assert (said.userid, said.channel_id) == (row["userid"] or "", row["channel_id"] or "")
            assert (said.buyer_id, when(said.ordered_at)) == (order["buyer_id"], order["created_at"])
            assert (when(said.paid_at) if said.HasField("paid_at") else None) == order["paid_at"]
            assert said.refunded.amount == row["refunded_fen"]
        assert set(attributing.latest()) == set(sql)
        for order_id in rule:
            assert await explained(room, known, order_id) == (
                sql[order_id]["userid"] if order_id in sql else None,
                sql[order_id]["channel_id"] if order_id in sql else None,
            )
        told = [one.alert_id for one in attributing.alerts]
        assert len(told) == len(set(told))


# -- what is stated besides, by example


def purchase(order: str = "o", buyer: int = 0) -> list[Any]:
    """A friend of anna's, through channel 1, who pays 10.00 at second 30."""
    return [
        f.assigned(0, [("external_userid", 0), ("yz_open_id", buyer)], 1),
        f.related(0, "anna", [(0, None)], 1),
        f.acquired("t", 0, "anna", 1, 0),
        f.paid(order, buyer, 1000, 30, ordered=10),
    ]


async def take(room: Room, *messages: Any, start: int = 0) -> None:
    for number, message in enumerate(messages, start=start):
        fact = received(message, f"{number:04d}")
        for durable in DURABLES:
            if type(message) in durable.types:
                await room.take(durable, [fact])


async def test_who_is_left_behind_loses_what_came_through_whoever_goes(rooms: Rooms) -> None:
    """A customer's contact turns out to be another person's: the orders of the account that stays are nobody's then."""
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        await take(room, *purchase())
        await attributing.work(room)
        assert [row["userid"] for row in await room.rows("select userid from attributions")] == ["anna"]
        await take(room, f.assigned(1, [("external_userid", 0)], 2), start=10)
        await attributing.work(room)
        assert [row["userid"] for row in await room.rows("select userid from attributions")] == [None]


async def test_a_corrected_buyer_is_stated_anew(rooms: Rooms) -> None:
    """Nobody serves either buyer: all that changes is who bought."""
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        await take(room, f.paid("o", 0, 1000, 30, ordered=10))
        await attributing.work(room)
        await take(room, f.created("o", 1, 1000, 9, version=31), start=1)
        await attributing.work(room)
    assert [said.buyer_id for said in attributing.stated] == [f.uid("yz_open_id", 0), f.uid("yz_open_id", 1)]
    assert when(attributing.stated[-1].ordered_at) == f.at(9)


async def test_an_order_that_loses_its_buyer_is_stated_anew(rooms: Rooms) -> None:
    """The message that named the buyer turns out to be in a wrong currency. A replica of the release before takes the
    mark for nothing first."""
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        people = f.assigned(0, [("external_userid", 0), ("yz_open_id", 0)], 1)
        usd = f.paid("o", 0, 800, 5, ordered=1, currency="USD")
        await take(room, people, f.related(0, "anna", [(0, None)], 1), usd)
        await attributing.work(room)
        assert (attributing.latest()["o"].userid, attributing.latest()["o"].paid.currency) == ("anna", "USD")
        await take(room, f.created("o", None, 500, 1, version=0), start=10)
        await room.pool.execute("delete from attribution_marks")
        assert await attribution.catch_up(room.pool) == 1
        await attributing.work(room)
        said = attributing.latest()["o"]
        assert (said.buyer_id, said.userid, said.HasField("paid"), said.version) == ("", "", False, 2)
        assert await attribution.catch_up(room.pool) == 0
        # What becomes of it later is said too.
        await take(room, f.paid("o", None, 500, 9, ordered=1), start=20)
        await attributing.work(room)
        said = attributing.latest()["o"]
        assert (said.buyer_id, said.paid.amount, said.paid.currency) == ("", 500, "CNY")


async def test_who_serves_is_told_of_payment_and_refund_once(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        await take(room, *purchase(), f.refunded("o", "r", 300, 40))
        await attributing.work(room)
        await take(room, f.refunded("o", "r2", 200, 41), f.shipped("o", 50), start=9)
        await attributing.work(room)
    told = {said.cause: said for said in attributing.alerts}
    assert [said.cause for said in attributing.alerts].count("order_paid/yz/o") == 1
    assert set(told) == {"order_paid/yz/o", "order_refunded/yz/o/r", "order_refunded/yz/o/r2"}
    assert {said.userid for said in attributing.alerts} == {"anna"}
    assert told["order_refunded/yz/o/r2"].order_refunded.refunded.amount == 200
    assert told["order_paid/yz/o"].order_paid.paid.amount == 1000


async def test_a_refund_of_a_release_that_told_nobody_stays_untold(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        await take(room, *purchase(), f.refunded("o", "r", 300, 40))
        await room.pool.execute("update refunds set arrived_at = null")
        await attributing.work(room)
    assert [said.cause for said in attributing.alerts] == ["order_paid/yz/o"]


@pytest.mark.parametrize("rename_first", [True, False])
async def test_a_renamed_employee_is_not_told_again(rooms: Rooms, rename_first: bool) -> None:
    """Identity restates the relation under the new userid, the former one without spans; in any order."""
    renamed = StaffRenamed(corp_id=CORP, userid="anna2", former_userid="anna", at=stamp(f.at(60)))
    later = StaffRenamed(corp_id=CORP, userid="anna3", former_userid="anna2", at=stamp(f.at(70)))
    moved = [f.related(0, "anna", [], 2), f.related(0, "anna3", [(0, None)], 3)]
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        await take(room, *purchase())
        await attributing.work(room)
        await take(room, *([renamed, later, *moved] if rename_first else [*moved, later, renamed]), start=9)
        await attributing.work(room)
        assert await room.rows("select userid from attributions") == [{"userid": "anna3"}]
        assert await room.rows("select userid from relation_spans") == [{"userid": "anna3"}]
    assert [said.userid for said in attributing.alerts] == ["anna"]


async def test_a_merge_tells_the_new_employee_once(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        await take(room, *purchase(), f.related(1, "bob", [(5, None)], 4))
        await attributing.work(room)
        merged = f.assigned(0, [("external_userid", 0), ("external_userid", 1), ("yz_open_id", 0)], 7)
        await take(room, merged, start=9)
        await attributing.work(room)
        await take(room, f.shipped("o", 60), start=10)
        await attributing.work(room)
    assert [(said.cause, said.userid) for said in attributing.alerts] == [
        ("order_paid/yz/o", "anna"),
        ("order_paid/yz/o", "bob"),
    ]


# -- beside the release before, which attributes by the moment of the order


async def test_what_the_release_before_attributed_is_attributed_anew(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        attributing = Attributing(room.outbox, corps())
        await take(room, *purchase())
        await attributing.work(room)
        # As its SQL writes: it knows none of our columns, and raises the version.
        await room.pool.execute("update attributions set userid = 'somebody', version = version + 1")
        await room.pool.execute(
            """
            insert into attributions (corp_id, mall_id, order_id, paid, paid_fen, refunded_fen, version)
            select corp_id, mall_id, 'filled', paid, paid_fen, refunded_fen, version from attributions
            """
        )
        await take(room, f.paid("filled", 0, 700, 31, ordered=11), start=9)
        await room.pool.execute("delete from attribution_marks")
        assert await attribution.catch_up(room.pool) == 2
        await attributing.work(room)
        rows = await room.rows("select order_id, userid, attributed_version = version as ours from attributions")
        assert sorted(rows, key=lambda row: str(row["order_id"])) == [
            {"order_id": "filled", "userid": "anna", "ours": True},
            {"order_id": "o", "userid": "anna", "ours": True},
        ]
        assert attributing.latest()["o"].version == 3
        assert await attribution.catch_up(room.pool) == 0


async def test_a_parked_corp_keeps_nobody_from_catching_up(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its marks wait for its release, and no more are made meanwhile."""
    monkeypatch.setattr(attribution, "CATCH_UP_AT_ONCE", 3)
    async with rooms("commerce") as room:
        await take(room, *purchase(), *(f.paid(f"o{n}", 0, 700, 31, ordered=11) for n in range(3)))
        await work_off(attribution_queue(room.outbox))
        await room.pool.execute("update attributions set version = version + 1")
        async with room.pool.acquire() as connection:
            for table in ("orders", "attributions"):
                await connection.execute(f"create temp table copied as select * from {table} where order_id <> 'o'")
                await connection.execute("update copied set corp_id = 'ww-parked'")
                await connection.execute(f"insert into {table} select * from copied")
                await connection.execute("drop table copied")
        await room.pool.execute(
            "insert into parked (corp_id, durable, reason, detail) values ('ww-parked', 'attribution', 'BUG', '')"
        )
        await room.pool.execute(
            """
            insert into attribution_marks (corp_id, mall_id, order_id, identifier_id)
            select corp_id, mall_id, order_id, buyer_id
            from orders
            where corp_id = 'ww-parked'
            """
        )
        assert await attribution.catch_up(room.pool) == 3
        await room.pool.execute("delete from attribution_marks where corp_id <> 'ww-parked'")
        assert await room.rows("select count(*) as n from attribution_marks") == [{"n": 3}]


# -- a bug


async def test_a_bug_deletes_no_mark(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The culprits are dead letters with their reason, the others wait or are done; replayed, all are attributed."""
    orders = [f"o{number:02d}" for number in range(30)]

    async def broken(*_: Any) -> None:
        raise KeyError("a bug")

    async with rooms("commerce") as room:
        await take(room, *purchase(orders[0]), *(f.paid(one, 0, 1000, 30, ordered=10) for one in orders[1:]))
        await room.pool.execute("delete from attribution_marks where order_id is null")
        queue = attribution_queue(room.outbox)
        with monkeypatch.context() as patched:
            patched.setattr(attribution.db, "attribute", broken)
            await work_off(queue)
        waiting = await room.rows("select order_id from attribution_marks")
        buried = await room.rows("select reason from dead_letters where replayed_at is null")
        assert len(waiting) + len(buried) == len(orders)
        assert {row["reason"] for row in buried} == {"KeyError"}
        await room.pool.execute("delete from parked")
        async with room.pool.acquire() as connection:
            for letter in await dead_letters.page(connection, CORP, "attribution", None, 100):
                await put_back(connection, letter)
        await work_off(attribution_queue(room.outbox))
        assert await room.rows("select count(*) as n from attributions where userid = 'anna'") == [{"n": len(orders)}]
