"""Attribution in SQL says what the pure rule says, over generated histories on real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bihuan.commerce.v1.facts_pb2 import OrderAttributed
from bihuan.staff.v1.facts_pb2 import StaffAlerted
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chassis.facts import Fact, subject_of
from chassis.kernel.corps import Corps
from chassis.outbox import Outbox, Tx
from chassis.parking import Parking
from chassis.pool import Row
from chassis.work_queue import WorkQueue
from commerce import consumers as commerce
from commerce.app import attribution
from commerce.domain.attribution import Span, Touch, Window, attribute
from tests import facts as f
from tests.conftest import CORP, Room
from tests.integration.test_any_order import live_through, numbered
from tests.marking import corps, work_off

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
    """A touch about the end of a business day, and a payment about the end of its window or a day later."""
    touch, close = 14 * HOUR + end * 24 * HOUR + touched, 14 * HOUR + (end + DAYS) * 24 * HOUR
    return [
        f.acquired(f"edge{contact}{touch}", contact, "anna", end, touch),
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
            lambda c, e, ch, s, confirms: [f.acquired(f"t{c}{e}{ch}{s}", c, e, ch, s, confirmation=confirms)],
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


# Shrinking a failure would take a database a step.
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(histories, st.integers())
async def test_sql_says_what_the_rule_says(rooms: Rooms, messages: list[Any], seed: int) -> None:
    known = corps(days=DAYS, timezone=ZONE)
    window = attribution.Attribution(known)._windows[CORP]
    # One version is one statement of identity's: of two that share it, only one was ever made.
    messages = list({(m.DESCRIPTOR.name, getattr(m, "version", n)): m for n, m in enumerate(messages)}.values())
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
        told = [one.alert_id for one in attributing.alerts]
        assert len(told) == len(set(told))
