"""Orders as malls tell of them: lines, refunds by line, currencies, messages that nobody reads."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from bihuan.commerce.v1.order_service_pb2 import GetOrderRequest
from bihuan.common.v1.money_pb2 import Money
from bihuan.mall.v1 import facts_pb2 as mall
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chassis.errors import Invalid
from chassis.kernel import caller
from chassis.moments import stamp
from chassis.pool import is_transient
from commerce import consumers as commerce
from commerce.app.order_messages import read
from commerce.rpc.orders import OrderServicer
from tests import facts as f
from tests.conftest import CORP, Room, examples, received
from tests.integration.test_any_order import live_through, numbered
from tests.marking import corps

Rooms = Callable[[str], Any]
DURABLES = commerce.durables(timedelta(hours=1))
ORDERS = next(one for one in DURABLES if one.name == commerce.ORDERS)


async def take(room: Room, *messages: Any, start: int = 0) -> None:
    """One by one, as facts numbered from `start`."""
    for number, message in enumerate(messages, start=start):
        await room.take(ORDERS, [received(message, f"{number:04d}")])


async def letters(room: Room) -> list[tuple[str, str]]:
    """Those that wait: (fact, reason)."""
    rows = await room.rows("select fact_id, reason from dead_letters where replayed_at is null order by fact_id")
    return [(str(row["fact_id"]), str(row["reason"])) for row in rows]


async def get_order(room: Room, order_id: str) -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})
    answer = await OrderServicer(room.pool, corps()).GetOrder(GetOrderRequest(mall_id="yz", order_id=order_id), None)
    return answer.order


# -- lines


async def test_an_order_answers_all_that_the_mall_told(rooms: Rooms) -> None:
    lines = [
        f.line(
            "l1",
            800,
            sku_id="s1",
            outer_product_id="P-1",
            outer_sku_id="S-1",
            price=Money(amount=500, currency="CNY"),
            discount=Money(amount=200, currency="CNY"),
        ),
        f.line("l2", 200),
    ]
    paid = f.paid("o", 0, 1000, 5, ordered=1, lines=lines)
    paid.detail.region.CopyFrom(mall.Region(province="浙江省", city="杭州市", county="西湖区"))
    paid.detail.source, paid.detail.channel = "wx_mini", "直播"
    async with rooms("commerce") as room:
        await take(room, paid, f.refunded("o", "r", 300, 9, lines={"l1": 300}))
        order = await get_order(room, "o")
    one, other = order.lines
    assert (one.sku_id, one.outer_product_id, one.outer_sku_id) == ("s1", "P-1", "S-1")
    assert (one.price.amount, one.discount.amount, one.paid.amount) == (500, 200, 800)
    assert not other.HasField("price")
    assert (order.region.city, order.source, order.sales_channel) == ("杭州市", "wx_mini", "直播")
    (refund,) = order.refunds
    assert [(line.line_id, line.amount.amount, line.unknown) for line in refund.lines] == [("l1", 300, False)]
    assert order.refunded.amount == 300


async def test_lines_are_those_of_the_newest_detail(rooms: Rooms) -> None:
    messages = [
        f.created("o", 0, 1000, 1, lines=[f.line("l1", 600), f.line("l2", 400)]),
        f.paid("o", 0, 900, 5, ordered=1, lines=[f.line("l2", 900)]),
    ]
    for order in itertools.permutations(messages):
        async with rooms("commerce") as room:
            await take(room, *order)
            assert await room.rows("select line_id, paid_fen from order_lines") == [{"line_id": "l2", "paid_fen": 900}]


async def test_a_refund_of_an_unknown_line_is_kept_and_healed_by_a_late_detail(rooms: Rooms) -> None:
    refund = f.refunded("o", "r", 300, 9, lines={"l1": 200, "nobody": 100})
    detail = f.paid("o", 0, 1000, 5, ordered=1, lines=[f.line("l1", 1000)])

    async def unknown(room: Room) -> dict[str, bool]:
        (told,) = (await get_order(room, "o")).refunds
        return {line.line_id: line.unknown for line in told.lines}

    async with rooms("commerce") as room:
        await take(room, f.paid("o", 0, 1000, 4, ordered=1), refund)
        assert await unknown(room) == {"l1": True, "nobody": True}
        assert (await get_order(room, "o")).refunded.amount == 300
        await take(room, detail, start=2)
        assert await unknown(room) == {"l1": False, "nobody": True}
        assert await letters(room) == []


# -- refunds that count after all, or no longer


async def test_a_refund_read_anew_says_what_the_later_reading_says(rooms: Rooms) -> None:
    """gateway.reread: the same message under an id of its own, by readers that read more; in any order."""
    paid = f.paid("o", 0, 800, 5, ordered=1, lines=[f.line("l1", 500), f.line("l2", 300)])
    first = received(f.refunded("o", "r", 300, 9), "5a")
    second = received(f.refunded("o", "r", 300, 9, lines={"l1": 300}), "r0002-5a")
    third = received(f.refunded("o", "r", 300, 9, lines={"l1": 200, "l2": 100}), "r0003-5a")
    for order in itertools.permutations([first, second, third]):
        async with rooms("commerce") as room:
            await take(room, paid)
            for batch in (order[:1], order[1:]):
                await room.take(ORDERS, list(batch))
            (refund,) = (await get_order(room, "o")).refunds
            assert [(line.line_id, line.amount.amount) for line in refund.lines] == [("l1", 200), ("l2", 100)]


async def test_a_refund_that_counts_after_all_closes_its_dead_letter(rooms: Rooms) -> None:
    """The payment was stated too low; what a later version says covers the refund."""
    async with rooms("commerce") as room:
        await take(room, f.paid("o", 0, 100, 5, ordered=1), f.refunded("o", "r", 300, 9))
        assert await letters(room) == [("0001", "REFUND_ABOVE_PAYMENT")]
        await take(room, f.paid("o", 0, 400, 6, ordered=1), start=2)
        assert await letters(room) == []
        assert await room.rows("select status from refunds") == [{"status": "ACCEPTED"}]


async def test_a_refund_that_no_longer_counts_becomes_a_dead_letter(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await take(room, f.paid("o", 0, 400, 5, ordered=1), f.refunded("o", "r", 300, 9))
        assert await letters(room) == []
        await take(room, f.refunded("o", "earlier", 200, 8), start=2)  # it takes its share first
        assert await letters(room) == [("0001", "REFUND_ABOVE_PAYMENT")]


refund_facts = st.lists(
    st.one_of(
        st.builds(lambda fen, v: f.paid("o", 0, fen, v, ordered=1), st.integers(0, 900), st.integers(2, 9)),
        st.builds(
            lambda r, fen, s, currency: f.refunded("o", r, fen, s, currency=currency),
            st.sampled_from(["r1", "r2", "r3"]),
            st.integers(0, 600),
            st.integers(10, 14),
            st.sampled_from(["CNY", "CNY", "USD"]),
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(15), phases=[Phase.explicit, Phase.generate])
@given(refund_facts, st.integers())
async def test_open_letters_are_the_refunds_that_do_not_count(rooms: Rooms, messages: list[Any], seed: int) -> None:
    async with rooms("commerce") as room:
        await live_through(room, DURABLES, numbered(messages), Random(seed))
        excess = await room.rows("select fact_id from refunds where status = 'EXCESS' order by 1")
        assert [fact_id for fact_id, _ in await letters(room)] == [row["fact_id"] for row in excess]


@pytest.mark.parametrize("earlier_first", [True, False])
async def test_a_refund_named_under_two_orders_is_that_of_the_earlier_message(
    rooms: Rooms, earlier_first: bool
) -> None:
    """The other message is a dead letter that says so; both orders count what is theirs, whichever came first."""
    earlier, later = f.refunded("a", "r", 300, 8, lines={"l1": 300}), f.refunded("b", "r", 200, 9)
    async with rooms("commerce") as room:
        await take(room, f.paid("a", 0, 1000, 5, ordered=1), f.paid("b", 0, 100, 5, ordered=1))
        await take(room, *((earlier, later) if earlier_first else (later, earlier)), start=2)
        (letter,) = await room.rows("select reason, detail from dead_letters where replayed_at is null")
        assert letter == {
            "reason": "REFUND_OF_ANOTHER_ORDER", "detail": "refund r is of order a, the message names b",
        }  # fmt: skip
        assert [(await get_order(room, one)).refunded.amount for one in "ab"] == [300, 0]
        assert len((await get_order(room, "b")).refunds) == 0
        assert await room.rows("select line_id from refund_lines") == [{"line_id": "l1"}]
        # The order that lost it has room for one of its own.
        await take(room, f.refunded("b", "other", 100, 10), start=4)
        assert (await get_order(room, "b")).refunded.amount == 100


async def test_two_orders_that_name_one_refund_at_once(rooms: Rooms) -> None:
    """By replicas that know nothing of one another; it is counted once, and every other message is a dead letter."""
    async with rooms("commerce") as room:
        orders = [f"o{n}" for n in range(12)]
        await take(room, *(f.paid(one, 0, 1000, 5, ordered=1) for one in orders))

        async def tell(number: int, order: str) -> None:
            fact = received(f.refunded(order, "r", 100, 40 - number), f"tell-{number:02d}")
            for _ in range(100):
                try:
                    await room.take(ORDERS, [fact])
                    return
                except Exception as error:
                    if not is_transient(error):
                        raise
            raise AssertionError("never taken")

        await asyncio.gather(*(tell(number, order) for number, order in enumerate(orders)))
        refunded = {one: (await get_order(room, one)).refunded.amount for one in orders}
        assert refunded == {one: 100 if one == "o11" else 0 for one in orders}
        assert await letters(room) == [(f"tell-{n:02d}", "REFUND_OF_ANOTHER_ORDER") for n in range(11)]


# -- currencies


async def test_an_order_that_changes_its_currency_is_left_as_it_is(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await take(room, f.created("o", 0, 1000, 1))
        before = await room.rows("select * from orders")
        await take(room, f.paid("o", 1, 7, 5, ordered=1, currency="USD"), start=1)
        assert await room.rows("select * from orders") == before
        assert await letters(room) == [("0001", "ORDER_CURRENCY_CHANGED")]


def test_a_message_of_two_currencies_is_refused() -> None:
    message = f.paid("o", 0, 7, 5, ordered=1)
    message.paid.currency = "USD"
    with pytest.raises(Invalid) as refusal:
        read(received(message, "1"))
    assert refusal.value.field == "paid"


currency_facts = st.lists(
    st.one_of(
        st.builds(
            lambda v, fen, currency, buyer: f.created("o", buyer, fen, 1, currency=currency, version=v),
            st.integers(1, 6),
            st.integers(0, 900),
            st.sampled_from(["CNY", "USD", "EUR"]),
            st.integers(0, 1),
        ),
        st.builds(
            lambda v, fen, currency: f.paid(
                "o", 0, fen, v, ordered=1, currency=currency, lines=[f.line(f"l{fen % 3}", fen)]
            ),
            st.integers(1, 6),
            st.integers(0, 900),
            st.sampled_from(["CNY", "USD", "EUR"]),
        ),
        st.builds(lambda fen: f.refunded("o", f"r{fen % 2}", fen, 9), st.integers(0, 300)),
        st.just(f.shipped("o", 7)),
    ),
    min_size=2,
    max_size=9,
)


def lowest_currency(messages: Sequence[Any]) -> str | None:
    """Of the message with the lowest version, and of those the one whose fact comes first."""
    stating = [
        (message.order.version, f"{number:04d}", message.detail.total.currency)
        for number, message in enumerate(messages)
        if hasattr(message, "detail")
    ]
    return min(stating)[2] if stating else None


@settings(max_examples=examples(20), phases=[Phase.explicit, Phase.generate])
@given(currency_facts, st.integers())
async def test_an_orders_currency_is_a_function_of_its_messages(rooms: Rooms, messages: list[Any], seed: int) -> None:
    """Whatever order they come in, the order is as if the wrong ones had never come, and those are dead letters."""
    winner = lowest_currency(messages)
    numbers = {f"{number:04d}": message for number, message in enumerate(messages)}
    wrong = [
        fact_id
        for fact_id, message in numbers.items()
        if hasattr(message, "detail") and message.detail.total.currency != winner
    ]
    random = Random(seed)
    facts = numbered(messages)
    async with rooms("commerce") as clean, rooms("commerce") as wild:
        for fact in facts:
            if fact.id not in wrong:
                await clean.take(ORDERS, [fact])
        for _ in range(2):
            await live_through(wild, DURABLES, facts, random)
            for table in ("orders", "order_lines", "refunds", "refund_lines"):
                found = [await room.rows(f"select * from {table} order by 1, 2, 3, 4") for room in (clean, wild)]
                assert found[0] == found[1], table
            opened = [one for one, reason in await letters(wild) if reason == "ORDER_CURRENCY_CHANGED"]
            assert opened == wrong
            await wild.pool.execute("truncate inbox")


# -- messages that nobody reads


async def test_unread_messages_are_counted_once(rooms: Rooms) -> None:
    durable = next(one for one in DURABLES if mall.MessageUnread in one.types)
    messages = [
        mall.MessageUnread(corp_id=CORP, mall_id="yz", kind=kind, arrived_at=stamp(f.at(second)))
        for second, kind in enumerate(["trade_X", "item_Y", "trade_X"])
    ]
    facts = numbered(messages)
    async with rooms("commerce") as room:
        await room.take(durable, facts[:2])
        await room.take(durable, facts)
        assert await room.rows("select kind, messages, last_arrived_at from unread_messages order by 1") == [
            {"kind": "item_Y", "messages": 1, "last_arrived_at": f.at(1)},
            {"kind": "trade_X", "messages": 2, "last_arrived_at": f.at(2)},
        ]
