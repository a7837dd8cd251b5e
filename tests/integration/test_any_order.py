"""One property per service: shuffled, duplicated, split anew, replayed with the inbox emptied, the declared state is
the same. Real PostgreSQL; facts go through the service's own durables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bihuan.identity.v1.facts_pb2 import ContactRead, StaffRenamed
from bihuan.staff.v1.facts_pb2 import AlertKind, StaffAlertRaised
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition import consumers as acquisition
from acquisition.app import renames
from chassis.consumer import Durable
from chassis.effects import EffectWorker, OneByOne
from chassis.facts import Received, type_of
from chassis.kernel.alerts import alert_id
from chassis.moments import stamp
from chassis.sealing import Sealer
from commerce import consumers as commerce
from engagement.consumers import Handlers
from identity import consumers as identity
from tests import facts as f
from tests.conftest import CORP, Room, examples, received
from tests.marking import attribution_queue, work_off
from tests.unit.identity import referee

Rooms = Callable[[str], Any]
Projection = Callable[[Room], Awaitable[Any]]
EXAMPLES = examples(12)


def route(durables: tuple[Durable, ...], stream: list[Received]) -> list[tuple[Durable, Received]]:
    return [
        (durable, fact)
        for fact in stream
        for durable in durables
        if fact.type in {type_of(message) for message in durable.types}
    ]


async def live_through(
    room: Room, durables: tuple[Durable, ...], stream: list[Received], random: Random, after: Projection | None = None
) -> None:
    """Feeds the facts shuffled, some of them twice, in batches of any size, with `after` now and then."""
    work = route(durables, stream + random.sample(stream, len(stream) // 3))
    random.shuffle(work)
    while work:
        size = random.randint(1, 8)
        batch, work = work[:size], work[size:]
        for durable in durables:
            own = [fact for one, fact in batch if one is durable]
            if own:
                await room.take(durable, own)
        if after is not None and random.random() < 0.3:
            await after(room)
    if after is not None:
        await after(room)


async def same_whatever_the_order(
    rooms: Rooms,
    service: str,
    durables: tuple[Durable, ...],
    stream: list[Received],
    seed: int,
    project: Projection,
    after: Projection | None = None,
    before: Projection | None = None,
) -> Any:
    """Returns the projection, once all ways of living through the facts have given it."""
    random = Random(seed)
    async with rooms(service) as calm:
        if before is not None:
            await before(calm)
        for durable, fact in route(durables, stream):
            await calm.take(durable, [fact])
        if after is not None:
            await after(calm)
        expected = await project(calm)
    async with rooms(service) as wild:
        if before is not None:
            await before(wild)
        await live_through(wild, durables, stream, random, after)
        assert await project(wild) == expected
        await wild.pool.execute("truncate inbox")
        await live_through(wild, durables, stream, random, after)
        assert await project(wild) == expected
    return expected


def numbered(messages: list[Any]) -> list[Received]:
    return [received(message, f"{number:04d}") for number, message in enumerate(messages)]


# -- identity

seconds = st.integers(0, 40)
contacts = st.integers(0, 3)
employees = st.sampled_from(["anna", "bob"])
names = st.tuples(st.sampled_from(["yz_open_id", "unionid", "phone", "external_userid"]), st.integers(0, 4))
identity_facts = st.lists(
    st.one_of(
        st.builds(f.added, contacts, employees, seconds),
        st.builds(f.ended, contacts, employees, seconds, by_customer=st.booleans()),
        st.builds(f.linked, st.lists(names, min_size=2, max_size=3, unique=True), seconds),
        st.builds(lambda b, s: f.linked([("yz_open_id", b), ("phone", 0)], s), st.integers(0, 7), seconds),
        st.builds(lambda b, s: f.paid(f"o{b}{s}", b, 100, s, ordered=s), st.integers(0, 4), seconds),
    ),
    min_size=1,
    max_size=16,
)


async def who_is_who(room: Room) -> Any:
    rows = await room.rows("select identifier_id, customer_id, quarantined from identifiers")
    people: dict[Any, set[Any]] = {}
    for row in rows:
        if row["customer_id"]:
            people.setdefault(row["customer_id"], set()).add(row["identifier_id"])
    merged = await room.rows("select customer_id from customers where merged_into is null")
    assert {row["customer_id"] for row in merged} == set(people), (
        "a living customer without identifiers, or a dead one with"
    )
    return (
        sorted(sorted(person) for person in people.values()),
        sorted(row["identifier_id"] for row in rows if row["quarantined"]),
        await room.rows("select from_id, to_id from conflicts order by 1, 2"),
        await room.rows("select contact_id, userid, alive, added_at, ended_at from relations order by 1, 2"),
        await room.rows(
            "select i.identifier_id, i.first_seen, c.created_at from identifiers i"
            " left join customers c using (corp_id, customer_id) order by 1"
        ),
    )


@settings(max_examples=EXAMPLES)
@given(identity_facts, st.integers())
async def test_identity(rooms: Rooms, messages: list[Any], seed: int) -> None:
    durables = identity.DURABLES
    people, quarantined, conflicts, _, _ = await same_whatever_the_order(
        rooms, "identity", durables, numbered(messages), seed, who_is_who
    )
    kinds: dict[str, str] = {}
    links: list[referee.Link] = []
    for message in messages:
        named = getattr(message, "identifiers", None)
        if named is None:
            named = message.detail.buyer if hasattr(message, "detail") else [message.contact]
        kinds |= {one.id: one.kind for one in named}
        links += [(message.at.ToDatetime(UTC), named[0].id, other.id) for other in named[1:]]
    ruling = referee.rule(kinds, links)
    assert people == ruling.people
    assert quarantined == ruling.quarantined
    assert [(row["from_id"], row["to_id"]) for row in conflicts] == ruling.refused


# -- acquisition

acquisition_facts = st.lists(
    st.one_of(
        st.builds(
            f.added,
            contacts,
            employees,
            seconds,
            state=st.sampled_from(["", "unknown", "open", "paused"]),
            half=st.booleans(),
        ),
        st.builds(
            lambda c, version: f.assigned(version % 3, [("external_userid", c)], version), contacts, st.integers(1, 99)
        ),
        st.builds(
            lambda former, userid, s: StaffRenamed(
                corp_id=CORP, former_userid=former, userid=userid, at=stamp(f.at(s))
            ),
            employees,
            st.sampled_from(["bob", "cleo"]),
            seconds,
        ).filter(lambda said: said.former_userid != said.userid),
    ),
    min_size=1,
    max_size=16,
    unique_by=lambda message: getattr(message, "version", id(message)),
)


async def who_came_how(room: Room) -> Any:
    return (
        await room.rows(
            "select touch_id, contact_id, userid, c.name, fallback, kind from touches t"
            " join channels c using (corp_id, channel_id) order by touch_id"
        ),
        await room.rows("select identifier_id, customer_id, version from customer_identifiers order by 1"),
    )


@settings(max_examples=EXAMPLES)
@given(acquisition_facts, st.integers())
async def test_acquisition(rooms: Rooms, messages: list[Any], seed: int) -> None:
    """An add that is told under a former userid and under the present one is one, too."""

    async def decide_anew(room: Room) -> None:
        await room.pool.execute("update due_rows set due_at = now() where status = 'due'")
        worker = EffectWorker(room.pool, renames.KIND, OneByOne(renames.Renaming(room.outbox).perform), at_once=1)
        while await worker.work():
            await worker.drain()

    await same_whatever_the_order(
        rooms, "acquisition", acquisition.DURABLES, numbered(messages), seed, who_came_how, after=decide_anew
    )


# -- commerce

orders = st.sampled_from(["o1", "o2", "o3"])
ORDERED = {"o1": 5, "o2": 20, "o3": 35}
BUYER = {"o1": 0, "o2": 0, "o3": 1}
TOTAL = {"o1": 1000, "o2": 0, "o3": 250}
commerce_facts = st.lists(
    st.one_of(
        st.builds(lambda o: f.created(o, BUYER[o], TOTAL[o], ORDERED[o]), orders),
        st.builds(lambda o: f.paid(o, BUYER[o], TOTAL[o], ORDERED[o] + 1, ordered=ORDERED[o]), orders),
        st.builds(lambda o: f.shipped(o, ORDERED[o] + 2), orders),
        st.builds(lambda o: f.completed(o, ORDERED[o] + 3), orders),
        st.builds(lambda o: f.closed(o, ORDERED[o] + 3), orders),
        st.builds(f.refunded, orders, st.sampled_from(["r1", "r2", "r3"]), st.integers(0, 700), st.integers(50, 60)),
        st.builds(
            lambda contact, buyer, version: f.assigned(
                version % 2, [("external_userid", contact), ("yz_open_id", buyer)], version
            ),
            contacts,
            st.integers(0, 1),
            st.integers(1, 999),
        ),
        st.builds(
            lambda c, e, start, version: f.related(c, e, [(start, start + 20), (start + 25, None)], version),
            contacts,
            employees,
            seconds,
            st.integers(1, 999),
        ),
        st.builds(lambda c, e, s: f.acquired(f"t{c}{e}{s}", c, e, s % 3, s), contacts, employees, seconds),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda message: getattr(message, "version", 0) or id(message),
)


async def who_earned_what(room: Room) -> Any:
    raised = {row["alert_id"] for row in await room.rows("select alert_id from alerts_raised")}
    for row in await room.rows("select order_id, userid from attributions where paid and userid is not null"):
        kind = AlertKind.Name(AlertKind.ALERT_KIND_ORDER_PAID)
        assert alert_id(CORP, "yz", str(row["order_id"]), kind, userid=str(row["userid"])) in raised, (
            "an employee was not told"
        )
    return (
        await room.rows(
            "select order_id, buyer_id, total_fen, created_at, paid_fen, paid_at, shipped_at, completed_at, closed_at"
            " from orders order by 1"
        ),
        await room.rows("select refund_id, order_id, amount_fen, status from refunds order by 1"),
        await room.rows(
            "select order_id, userid, contact_id, channel_id, paid, paid_fen, refunded_fen from attributions order by 1"
        ),
        await room.rows("select count(*) from attribution_marks"),
    )


@settings(max_examples=EXAMPLES)
@given(commerce_facts, st.integers())
async def test_commerce(rooms: Rooms, messages: list[Any], seed: int) -> None:
    async def attribute(room: Room) -> None:
        await work_off(attribution_queue(room.outbox))

    await same_whatever_the_order(
        rooms,
        "commerce",
        commerce.durables(timedelta(hours=1)),
        numbered(messages),
        seed,
        who_earned_what,
        attribute,
    )


# -- engagement


async def what_was_planned(room: Room) -> Any:
    return (
        await room.rows("select welcome_id, contact_id, userid, status from welcomes order by 1"),
        await room.rows("select kind, key from due_rows order by 1, 2"),
        await room.rows("select contact_id, version from contacts where sealed_name is not null order by 1"),
        await room.rows("select alert_id, userid, amount_fen, status from alerts order by 1"),
    )


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.tuples(contacts, employees, st.integers(0, 5)), max_size=6, unique_by=lambda t: t[2]),
    st.lists(st.tuples(contacts, st.integers(1, 9)), max_size=5, unique_by=lambda t: t[1]),
    st.lists(st.tuples(st.integers(0, 4), employees, st.booleans()), max_size=6, unique_by=lambda t: t[0]),
    st.integers(),
)
async def test_engagement(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, welcomes: Any, reads: Any, alerts: Any, seed: int
) -> None:
    now = datetime.now(UTC)
    messages: list[Any] = [
        f.acquired(f"t{n}", c, e, 1, n, sealed_code=sealer.seal(CORP, f"code{n % 4}"), arrived=now)
        for c, e, n in {(n % 4, "anna", n) for _, _, n in welcomes}
    ]
    messages += [
        ContactRead(corp_id=CORP, contact=f.identifier("external_userid", c), sealed_name=b"n", version=v)
        for c, v in reads
    ]
    messages += [
        StaffAlertRaised(
            alert_id=f"a{n}",
            order_id=f"o{n}",
            corp_id=CORP,
            userid=e,
            kind=AlertKind.ALERT_KIND_ORDER_PAID,
            contact_id=f.uid("external_userid", n),
            at=stamp(now),
            arrived_at=stamp(now if fresh else now - timedelta(days=1)),
        )
        for n, e, fresh in alerts
    ]

    async def make_rule(room: Room) -> None:
        await room.pool.execute(
            "insert into welcome_rules (corp_id, welcome_rule_id, channel_id, text) values ($1, $2, $3, 'hi')",
            CORP,
            f.uid("rule"),
            f.uid("channel", 2),
        )

    durables = (*handlers.welcome_durables(), *handlers.alert_durables())
    if messages:
        await same_whatever_the_order(
            rooms, "engagement", durables, numbered(messages), seed, what_was_planned, before=make_rule
        )
