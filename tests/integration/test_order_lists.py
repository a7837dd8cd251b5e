"""Lists of orders: every filter in every order, page by page, is what a plain reading of all orders says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
from bihuan.commerce.v1 import order_service_pb2 as pb
from bihuan.identity.v1.facts_pb2 import StaffPlaced
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chassis.errors import Invalid, NotFound
from chassis.kernel import caller
from chassis.moments import stamp
from chassis.paging import Page
from commerce import consumers as commerce
from commerce.rpc.orders import OrderServicer
from tests import facts as f
from tests.conftest import CORP, Room, examples, received
from tests.integration.test_any_order import numbered
from tests.marking import attribution_queue, corps, work_off

Rooms = Callable[[str], Any]
DURABLES = commerce.durables(timedelta(hours=1))
STATUSES = [one for one in pb.OrderStatus.values() if one]


async def take(room: Room, *messages: Any) -> None:
    for fact in numbered(list(messages)):
        for durable in DURABLES:
            if type(fact.message) in durable.types:
                await room.take(durable, [fact])
    await work_off(attribution_queue(room.outbox))


def me(role: str = "ADMIN", userid: str = "boss") -> None:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": userid, "bihuan-role": role})


async def listed(room: Room, role: str = "ADMIN", own: str = "boss", **fields: Any) -> list[Any]:
    """All pages, and the total that each of them tells."""
    found, token = [], ""
    while True:
        me(role, own)
        request = pb.ListOrdersRequest(page_token=token, with_total=True, **{"page_size": 3, **fields})
        answer = await OrderServicer(room.pool, corps()).ListOrders(request, None)
        found += answer.orders
        token = answer.next_page_token
        if not token:
            assert answer.total.count == len(found)
            assert not answer.total.at_least
            return found


# A customer buys: who (None: a guest), ordered, paid after, what happens then.
lives = st.lists(
    st.tuples(
        st.sampled_from([None, 0, 1, 2, 3]),
        st.integers(0, 6),
        st.sampled_from([None, 0, 2]),
        st.sampled_from(["", "closed", "shipped", "completed", "part", "whole"]),
    ),
    min_size=1,
    max_size=9,
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(STATUSES),
        "userid": st.sampled_from(["anna", "BERT", "nobody"]),
        "channel_id": st.sampled_from([f.uid("channel", n) for n in range(3)]),
        "customer_id": st.sampled_from([f.uid("customer", n) for n in range(3)]),
        "mall_id": st.sampled_from(["yz", "other"]),
        "order_id": st.sampled_from(["o0", "o1"]),
        "paid_since": st.integers(0, 8),
        "paid_until": st.integers(9, 10),
    },
)


def story(lives: list[tuple[int | None, int, int | None, str]]) -> list[Any]:
    """0 and 1 are friends of anna and bert, and came by channels; 2 is bert's; nobody knows 3."""
    told: list[Any] = [
        *(f.assigned(n, [("yz_open_id", n), ("external_userid", n)], 1) for n in range(3)),
        *(f.related(n, "anna" if n == 0 else "bert", [(-10, None)], 1) for n in range(3)),
        *(f.acquired(f"t{n}", n, "anna", n, -10) for n in range(2)),
    ]
    for number, (buyer, ordered, pause, then) in enumerate(lives):
        order = f"o{number}"
        told.append(f.created(order, buyer, 100, ordered))
        if pause is not None:
            told.append(f.paid(order, buyer, 100, ordered + pause, ordered=ordered))
        if then == "closed":
            told.append(f.closed(order, 20))
        if then in ("shipped", "completed"):
            told.append(f.shipped(order, 21))
        if then == "completed":
            told.append(f.completed(order, 22))
        if then in ("part", "whole"):
            told.append(f.refunded(order, f"r{number}", 40 if then == "part" else 100, 23))
    return told


def matches(order: Any, wanted: dict[str, Any]) -> bool:
    paid_at = order.paid_at.ToDatetime(UTC) if order.HasField("paid_at") else None
    same = ("status", "channel_id", "customer_id", "mall_id", "order_id")
    return (
        all(getattr(order, name) == wanted[name] for name in same if name in wanted)
        and order.userid == wanted.get("userid", order.userid).lower()
        and ("paid_since" not in wanted or (paid_at is not None and paid_at >= f.at(wanted["paid_since"])))
        and ("paid_until" not in wanted or (paid_at is not None and paid_at < f.at(wanted["paid_until"])))
    )


@settings(max_examples=examples(12), phases=[Phase.explicit, Phase.generate])
@given(lives, st.lists(filters, min_size=6, max_size=6), st.sampled_from(["ADMIN", "FRONTLINE", "MANAGER"]))
async def test_filters_and_orders_equal_a_plain_reading(
    rooms: Rooms, lives: Any, asked: list[dict[str, Any]], role: str
) -> None:
    seen = {"ADMIN": {None, 0, 1, 2, 3}, "FRONTLINE": {0}, "MANAGER": {0, 1, 2}}[role]
    async with rooms("commerce") as room:
        await take(room, *story(lives))
        for userid, within, managed in (("anna", [1], [1]), ("bert", [1], []), ("mira", [2], [1])):
            placed = StaffPlaced(
                corp_id=CORP,
                userid=userid,
                active=True,
                within_department_ids=within,
                managed_department_ids=managed if userid == "mira" else [],
                version=1,
            )
            await take(room, placed)
        everything = await listed(room)
        assert len(everything) == len(lives)
        own = {"ADMIN": "boss", "FRONTLINE": "anna", "MANAGER": "mira"}[role]
        for wanted in asked:
            fields = {name: stamp(f.at(value)) if name.startswith("paid_") else value for name, value in wanted.items()}
            in_period = "paid_since" in wanted or "paid_until" in wanted
            for column in ("paid_at",) if in_period else ("created_at", "paid_at"):
                for direction in ("", " desc"):
                    found = await listed(room, role, own, order_by=column + direction, **fields)
                    expected = [
                        one
                        for one in everything
                        if matches(one, wanted)
                        and lives[int(one.order_id[1:])][0] in seen
                        and (column == "created_at" or one.HasField("paid_at"))
                    ]
                    expected.sort(key=lambda one: (getattr(one, column).seconds, one.order_id))
                    if direction:
                        expected.reverse()
                    assert [one.order_id for one in found] == [one.order_id for one in expected]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"status": 99}, "status"),
        ({"customer_id": "x"}, "customerId"),
        ({"channel_id": "x"}, "channelId"),
        ({"mall_id": "A mall"}, "mallId"),
        ({"order_id": "o" * 200}, "orderId"),
        ({"order_by": "total"}, "orderBy"),
        ({"order_by": "created_at", "paid_since": stamp(f.at(0))}, "orderBy"),
        ({"paid_since": stamp(f.at(1)), "paid_until": stamp(f.at(1))}, "paidUntil"),
        ({"page_token": "x"}, "pageToken"),
        ({"page_size": 500}, "pageSize"),
    ],
)
async def test_nonsense_is_refused(rooms: Rooms, fields: dict[str, Any], field: str) -> None:
    async with rooms("commerce") as room:
        me()
        with pytest.raises(Invalid) as refused:
            await OrderServicer(room.pool, corps()).ListOrders(pb.ListOrdersRequest(**fields), None)
        assert refused.value.field == field


async def test_a_page_survives_what_is_inserted_meanwhile(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await take(room, *(f.created(f"o{n}", 0, 100, n) for n in range(6)))
        me()
        servicer = OrderServicer(room.pool, corps())
        first = await servicer.ListOrders(pb.ListOrdersRequest(page_size=3), None)
        await room.take(DURABLES[0], [received(f.created("newer", 0, 100, 50), "newer")])
        second = await servicer.ListOrders(pb.ListOrdersRequest(page_size=3, page_token=first.next_page_token), None)
        assert [one.order_id for one in (*first.orders, *second.orders)] == [f"o{n}" for n in (5, 4, 3, 2, 1, 0)]
        with pytest.raises(Invalid):
            await servicer.ListOrders(
                pb.ListOrdersRequest(page_token=first.next_page_token, order_by="created_at"), None
            )


async def test_a_page_goes_on_at_either_release(rooms: Rooms) -> None:
    """While both run, each of them gets tokens of the other's pages."""
    async with rooms("commerce") as room:
        await take(room, *(f.created(f"o{n}", 0, 100, n) for n in range(4)))
        of_release_before = Page(2, "").next_token(
            ["", json.dumps([f.at(2).isoformat(), "yz", "o2"])],
        )
        me()
        servicer = OrderServicer(room.pool, corps())
        first = await servicer.ListOrders(pb.ListOrdersRequest(page_size=2), None)
        assert first.next_page_token == of_release_before
        second = await servicer.ListOrders(pb.ListOrdersRequest(page_size=2, page_token=of_release_before), None)
        assert [one.order_id for one in second.orders] == ["o1", "o0"]
        for order_by in ("created_at", "paid_at desc"):
            with pytest.raises(Invalid):
                await servicer.ListOrders(pb.ListOrdersRequest(page_token=of_release_before, order_by=order_by), None)


async def test_a_total_says_where_it_stopped(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await room.pool.execute(
            """
            insert into orders (corp_id, mall_id, order_id, currency, total_fen, created_at)
            select $1, 'yz', 'o' || n, 'CNY', 1, timestamptz '2026-01-01'
            from generate_series(1, 10001) n
            """,
            CORP,
        )
        me()
        request = pb.ListOrdersRequest(page_size=1, with_total=True)
        answer = await OrderServicer(room.pool, corps()).ListOrders(request, None)
        assert (answer.total.count, answer.total.at_least) == (10_000, True)


# -- what the release before writes


async def test_a_status_holds_for_what_the_release_before_writes(rooms: Rooms) -> None:
    """It keeps refunds and knows nothing of the column that the list reads."""
    async with rooms("commerce") as room:
        await take(room, f.paid("o", 0, 100, 1, ordered=0), f.refunded("o", "r", 100, 5))
        refunded = pb.OrderStatus.ORDER_STATUS_REFUNDED
        assert [one.order_id for one in await listed(room, status=refunded)] == ["o"]
        await room.pool.execute("update refunds set status = 'EXCESS'")
        assert await listed(room, status=refunded) == []
        assert [one.order_id for one in await listed(room, status=pb.OrderStatus.ORDER_STATUS_PAID)] == ["o"]


# -- what the mall said


async def said(room: Room, order_id: str = "o", role: str = "ADMIN", userid: str = "boss") -> list[Any]:
    me(role, userid)
    request = pb.ListOrderMessagesRequest(mall_id="yz", order_id=order_id)
    return list((await OrderServicer(room.pool, corps()).ListOrderMessages(request, None)).messages)


async def test_what_the_mall_said_in_whichever_order_it_came(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await take(
            room,
            f.refunded("o", "r", 30, 9),
            f.paid("o", 0, 100, 5, ordered=1),
            f.shipped("o", 7),
            f.created("o", 0, 100, 1),
            f.created("another", 0, 100, 1),
        )
        told = await said(room)
        assert [one.kind for one in told] == ["created", "paid", "shipped", "refunded"]
        assert [one.status for one in told] == [
            pb.ORDER_STATUS_CREATED, pb.ORDER_STATUS_PAID, pb.ORDER_STATUS_SHIPPED, pb.ORDER_STATUS_UNSPECIFIED,
        ]  # fmt: skip
        assert (told[1].paid.amount, told[3].refunded.amount) == (100, 30)
        assert not told[3].HasField("paid")


async def test_a_message_that_was_read_anew_is_one(rooms: Rooms) -> None:
    durable = next(one for one in DURABLES if one.name == "commerce-keep-on-order-message")
    first = received(f.refunded("o", "r", 30, 9), "5a")
    second = received(f.refunded("o", "r", 20, 9), "r0002-5a")
    for order in ([first, second], [second, first]):
        async with rooms("commerce") as room:
            await take(room, f.paid("o", 0, 100, 5, ordered=1))
            for fact in order:
                await room.take(durable, [fact])
            assert [(one.kind, one.refunded.amount) for one in await said(room)] == [("paid", 0), ("refunded", 20)]


# What a message is about, and how often it was read: each reading says more was given back.
told_messages = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["created", "paid", "refunded", "shipped"]), st.integers(1, 3)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(12), phases=[Phase.explicit, Phase.generate])
@given(told_messages, st.randoms(use_true_random=False))
async def test_messages_are_kept_doubled_shuffled_and_replayed(rooms: Rooms, came: Any, chance: Any) -> None:
    durable = next(one for one in DURABLES if one.name == "commerce-keep-on-order-message")
    facts, expected = [], []
    for number, (order, kind, readings) in enumerate(came):
        for reading in range(1, readings + 1):
            message = {
                "created": f.created(f"o{order}", 0, 100, number),
                "paid": f.paid(f"o{order}", 0, 100 + reading, number, ordered=0),
                "refunded": f.refunded(f"o{order}", f"r{number}", reading, number),
                "shipped": f.shipped(f"o{order}", number),
            }[kind]
            facts.append(received(message, f"m{number}" if reading == 1 else f"r{reading:04d}-m{number}"))
        money = {"paid": (100 + readings, 0), "refunded": (0, readings)}.get(kind, (0, 0))
        expected.append((f"o{order}", number, kind, *money))
    feed = facts + chance.choices(facts, k=3)
    chance.shuffle(feed)
    async with rooms("commerce") as room:
        await take(room, f.created("o0", 0, 100, -1), f.created("o1", 0, 100, -1))
        while feed:
            size = chance.randint(1, 5)
            await room.take(durable, feed[:size])
            feed = feed[size:]
        await room.take(durable, facts)
        for order_id in ("o0", "o1"):
            assert [
                (order_id, one.at.seconds - stamp(f.at(0)).seconds, one.kind, one.paid.amount, one.refunded.amount)
                for one in (await said(room, order_id))[1:]
            ] == [one for one in expected if one[0] == order_id]


@pytest.mark.parametrize("rpc", ["GetOrder", "ListOrderMessages", "ExplainOrder"])
async def test_an_order_of_others_is_not_found(rooms: Rooms, rpc: str) -> None:
    async with rooms("commerce") as room:
        await take(room, *story([(0, 1, 2, ""), (2, 1, 2, ""), (None, 1, 2, "")]))
        servicer = OrderServicer(room.pool, corps())
        for order_id, found in (("o0", True), ("o1", False), ("o2", False), ("nothing", False)):
            me("FRONTLINE", "anna")
            request = getattr(pb, f"{rpc}Request")(mall_id="yz", order_id=order_id)
            try:
                await getattr(servicer, rpc)(request, None)
            except NotFound:
                assert not found
            else:
                assert found
            assert not caller.lacks_scope()
