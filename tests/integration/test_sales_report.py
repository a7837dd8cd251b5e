"""The sales report equals a plain reading of orders, attributions and refunds, whatever came in which order."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bihuan.commerce.v1 import sales_report_service_pb2 as pb
from bihuan.common.v1.list_pb2 import Dimension
from bihuan.identity.v1.facts_pb2 import StaffPlaced
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Invalid
from chassis.kernel import caller
from chassis.kernel.corps import Corps
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.parking import Parking
from chassis.work_queue import WorkQueue
from commerce import consumers as commerce
from commerce.app.sale_days import SaleDays
from commerce.db.sale_days import KEY, MARKS, QUEUE, mark_all
from commerce.rpc.sales_report import SalesReportServicer
from tests import facts as f
from tests.conftest import CORP, Room, examples
from tests.integration.test_any_order import numbered
from tests.marking import attribution_queue, corps, work_off

Rooms = Callable[..., Any]
DURABLES = commerce.durables(timedelta(hours=1))
SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR = 3600
DAY = 24 * HOUR

Sale = tuple[str, str, str, str, str]  # day, mall, channel, userid, currency


def sale_queue(room: Room, known: Corps | None = None) -> WorkQueue:
    days = SaleDays(known or corps())
    return WorkQueue(room.outbox, Parking(room.pool), QUEUE, MARKS, days.count, key=KEY)


async def count(room: Room, known: Corps | None = None) -> None:
    await work_off(attribution_queue(room.outbox, known))
    await work_off(sale_queue(room, known))


async def feed(room: Room, facts: Sequence[Any]) -> None:
    for fact in facts:
        for durable in DURABLES:
            if type(fact.message) in durable.types:
                await room.take(durable, [fact])


async def fill(room: Room, *messages: Any) -> None:
    await feed(room, numbered(list(messages)))
    await count(room)


async def counted(room: Room) -> dict[Sale, tuple[int, int, int]]:
    rows = await room.pool.fetch("select * from sale_days where (paid_orders, paid_fen, refunded_fen) <> (0, 0, 0)")
    return {
        (str(row["day"]), row["mall_id"], row["channel_id"], row["userid"], row["currency"]): (
            row["paid_orders"],
            row["paid_fen"],
            row["refunded_fen"],
        )
        for row in rows
    }


async def plain(room: Room, zone: ZoneInfo = SHANGHAI) -> dict[Sale, tuple[int, int, int]]:
    """From the base tables, one row after the other."""
    orders = {row["order_id"]: row for row in await room.pool.fetch("select * from orders")}
    owners = {row["order_id"]: row for row in await room.pool.fetch("select * from attributions")}
    sums: dict[Sale, list[int]] = defaultdict(lambda: [0, 0, 0])

    def sale(order_id: str, at: datetime) -> list[int]:
        own = owners.get(order_id)
        channel_id, userid = (own["channel_id"], own["userid"]) if own is not None else (None, None)
        day, currency = at.astimezone(zone).date().isoformat(), orders[order_id]["currency"]
        return sums[day, "yz", str(channel_id or ""), userid or "", currency]

    for order_id, order in orders.items():
        if order["paid_fen"] is not None:
            row = sale(order_id, order["paid_at"])
            row[0] += 1
            row[1] += order["paid_fen"]
    for refund in await room.pool.fetch("select * from refunds where status = 'ACCEPTED'"):
        sale(refund["order_id"], refund["at"])[2] += refund["amount_fen"]
    return {key: (found[0], found[1], found[2]) for key, found in sums.items() if any(found)}


orders = st.fixed_dictionaries(
    {
        # None: a guest.
        "buyer": st.sampled_from([None, 0, 1, 2]),
        "hour": st.integers(0, 60),
        "currency": st.sampled_from(["CNY", "CNY", "USD"]),
        # A second payment message in another currency, or without a buyer.
        "again": st.sampled_from(["", "USD", "guest"]),
        "refunds": st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=2),
    }
)


def story(orders: Sequence[dict[str, Any]], moves: Sequence[tuple[int, int]]) -> list[Any]:
    told: list[Any] = [
        *(f.related(n, ("anna", "bert", "carl")[n], [(-DAY, None)], 1) for n in range(3)),
        *(f.acquired(f"t{n}", n, "anna", n % 2, -DAY) for n in range(3)),
    ]
    for number, order in enumerate(orders):
        name, at = f"o{number}", order["hour"] * HOUR
        told.append(f.paid(name, order["buyer"], 100 + number, at, ordered=at - 10, currency=order["currency"]))
        if order["again"] == "USD":
            told.append(f.paid(name, order["buyer"], 7, at + 5 * HOUR, ordered=at - 10, currency="USD"))
        if order["again"] == "guest":
            told.append(f.paid(name, None, 90, at + 20 * HOUR, ordered=at - 10, currency=order["currency"]))
        for refund, (which, after) in enumerate(order["refunds"]):
            # Some refunds are named under two orders.
            when = at + after * HOUR
            told.append(
                f.refunded(name, f"r{which}" if which else f"{name}-{refund}", 40, when, currency=order["currency"])
            )
    # Whose contacts are the buyers: later versions move them to other customers.
    for version, (buyer, customer) in enumerate(moves, start=1):
        names: list[tuple[str, object]] = [("yz_open_id", buyer), ("external_userid", customer)]
        told.append(f.assigned(customer, names, version))
    return told


@settings(max_examples=examples(25))
@given(
    st.lists(orders, min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=4),
    st.sampled_from(["Asia/Shanghai", "America/New_York", "Asia/Kolkata"]),
    st.integers(0, 2**16),
)
async def test_days_equal_a_plain_reading_in_any_order(
    rooms: Rooms, orders: list[dict[str, Any]], moves: list[tuple[int, int]], zone: str, seed: int
) -> None:
    chance, known = random.Random(seed), corps(timezone=zone)
    facts = numbered(story(orders, moves))
    facts += chance.choices(facts, k=3)
    chance.shuffle(facts)
    async with rooms("commerce") as room:
        for fact in facts:
            await feed(room, [fact])
            if chance.random() < 0.3:
                await work_off(attribution_queue(room.outbox, known))
            if chance.random() < 0.3:
                await work_off(sale_queue(room, known))
        await count(room, known)
        assert await counted(room) == await plain(room, ZoneInfo(zone))
        assert await counted(room) or not await room.rows("select 1 from orders where paid_fen > 0")


async def test_days_are_cut_anew_where_the_corp_moves_to_another_zone(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await fill(room, *story([{"buyer": n % 2, "hour": n, "currency": "CNY", "again": "", "refunds": [(0, n)]}
                                 for n in range(0, 30, 3)], [(0, 0), (1, 1)]))  # fmt: skip
        for zone in ("Asia/Shanghai", "America/New_York", "Asia/Kolkata"):
            known = corps(timezone=zone)
            assert await mark_where_zones_changed(room.pool, known, QUEUE, mark_all) == 1
            await count(room, known)
            assert await counted(room) == await plain(room, ZoneInfo(zone))


async def test_what_was_there_before_is_counted_when_a_service_starts(rooms: Rooms) -> None:
    """A database that the release before filled has no marks."""
    async with rooms("commerce") as room:
        await fill(room, *story([{"buyer": n, "hour": 1, "currency": "CNY", "again": "", "refunds": [(0, 2)]}
                                 for n in (0, None)], [(0, 0)]))  # fmt: skip
        await room.pool.execute("truncate sale_days, sale_day_marks")
        assert await mark_where_zones_changed(room.pool, corps(), QUEUE, mark_all) == 1
        await count(room)
        assert len(await counted(room)) == 2
        assert await counted(room) == await plain(room)
        assert await mark_where_zones_changed(room.pool, corps(), QUEUE, mark_all) == 0


# -- the report


def day(number: int) -> str:
    return (f.at(0).astimezone(SHANGHAI) + timedelta(days=number)).date().isoformat()


async def report(room: Room, by: str = "DAY", role: str = "ADMIN", me: str = "boss", **fields: Any) -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
    asked = {"first_day": day(-1), "last_day": day(8), **fields}
    request = pb.GetSalesReportRequest(by=Dimension.Value(f"DIMENSION_{by}"), **asked)
    return await SalesReportServicer(room.pool, corps()).GetSalesReport(request, None)


async def told(room: Room, by: str = "DAY", **fields: Any) -> dict[str, tuple[int, int, int]]:
    """Key → orders, paid and given back, of rows that are not all zero."""
    answer = await report(room, by, **fields)
    if by != "DEPARTMENT":
        for of in (lambda row: row.paid_orders, lambda row: row.gmv_paid.amount, lambda row: row.refunded.amount):
            assert sum(map(of, answer.rows)) == of(answer.total)
    for row in (*answer.rows, answer.total):
        assert row.net.amount == row.gmv_paid.amount - row.refunded.amount
        assert row.HasField("average_order_value") == (row.paid_orders > 0)
    found = {row.key: (row.paid_orders, row.gmv_paid.amount, row.refunded.amount) for row in answer.rows}
    return {key: row for key, row in found.items() if any(row)}


async def placed(room: Room, userid: str, within: Sequence[int], managed: Sequence[int] = ()) -> None:
    fact = StaffPlaced(
        corp_id=CORP,
        userid=userid,
        active=True,
        within_department_ids=within,
        managed_department_ids=managed,
        version=1,
    )
    await feed(room, numbered([fact]))


async def fill_by_hand(room: Room) -> None:
    """Anna's 0 came by channel 0, bert's 1 by channel 1; nobody knows 2; one order is a guest's, one in dollars."""
    await fill(
        room,
        *(f.assigned(n, [("yz_open_id", n), ("external_userid", n)], 1) for n in range(2)),
        f.related(0, "anna", [(-DAY, None)], 1),
        f.related(1, "bert", [(-DAY, None)], 1),
        f.acquired("t0", 0, "anna", 0, -DAY),
        f.acquired("t1", 1, "bert", 1, -DAY),
        f.paid("o0", 0, 1001, 0, ordered=-9),
        f.paid("o1", 0, 500, DAY, ordered=0),
        f.paid("o2", 1, 300, DAY, ordered=0),
        f.paid("o3", 2, 40, DAY, ordered=0),
        f.paid("o4", None, 5, 2 * DAY, ordered=0),
        f.paid("dollars", 0, 999, DAY, ordered=0, currency="USD"),
        f.created("unpaid", 0, 77, DAY),
        f.refunded("o0", "r0", 1001, 2 * DAY),
    )


async def test_each_dimension_by_hand(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await fill_by_hand(room)
        await placed(room, "anna", [1, 2])
        await placed(room, "bert", [1])
        channels = [f.uid("channel", n) for n in range(2)]
        assert await told(room) == {day(0): (1, 1001, 0), day(1): (3, 840, 0), day(2): (1, 5, 1001)}
        assert await told(room, "STAFF") == {"anna": (2, 1501, 1001), "bert": (1, 300, 0), "": (2, 45, 0)}
        assert await told(room, "CHANNEL") == {
            channels[0]: (2, 1501, 1001),
            channels[1]: (1, 300, 0),
            "": (2, 45, 0),
        }
        assert await told(room, "MALL") == {"yz": (5, 1846, 1001)}
        assert await told(room, "DEPARTMENT") == {"1": (3, 1801, 1001), "2": (2, 1501, 1001)}
        assert await told(room, "DEPARTMENT", department_id=2) == {"1": (2, 1501, 1001), "2": (2, 1501, 1001)}
        assert await told(room, "STAFF", channel_id=channels[1]) == {"bert": (1, 300, 0)}
        assert await told(room, "STAFF", userid="ANNA", first_day=day(1)) == {"anna": (1, 500, 1001)}
        assert await told(room, mall_id="other") == {}
        whole = await report(room)
        assert len(whole.rows) == 10
        assert whole.total.average_order_value.amount == 369
        assert whole.total.net.amount == 845
        # The guest is nobody; who is not placed is themselves.
        assert (whole.buyers, whole.repeat_buyers) == (3, 1)
        assert whole.repurchase_rate == pytest.approx(1 / 3)


async def test_currencies_are_never_added_up(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await fill_by_hand(room)
        assert (await report(room)).currencies == ["CNY", "USD"]
        dollars = await report(room, currency="USD")
        assert (dollars.total.paid_orders, dollars.total.gmv_paid.amount, dollars.total.gmv_paid.currency) == (
            1, 999, "USD",
        )  # fmt: skip
        assert (dollars.buyers, dollars.repeat_buyers) == (1, 0)


async def test_without_sales_there_is_no_average(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        nothing = await report(room)
        assert not nothing.total.HasField("average_order_value")
        assert not nothing.HasField("repurchase_rate")
        assert (nothing.total.net.amount, nothing.total.net.currency) == (0, "CNY")
        assert await told(room, "STAFF") == {}


async def test_who_is_confined_sees_their_own(rooms: Rooms) -> None:
    async with rooms("commerce") as room:
        await fill_by_hand(room)
        await placed(room, "anna", [1, 2])
        await placed(room, "bert", [1])
        await placed(room, "mira", [1], managed=[2])
        assert await told(room, "STAFF", role="FRONTLINE", me="bert") == {"bert": (1, 300, 0)}
        assert await told(room, "STAFF", role="FRONTLINE", me="bert", userid="anna") == {}
        assert await told(room, "STAFF", role="MANAGER", me="mira") == {"anna": (2, 1501, 1001)}
        own = await report(room, role="FRONTLINE", me="bert")
        assert (own.buyers, own.repeat_buyers, own.currencies) == (1, 0, ["CNY"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"by": "UNSPECIFIED"}, "by"),
        ({"first_day": "yesterday"}, "firstDay"),
        ({"channel_id": "x"}, "channelId"),
        ({"mall_id": "A mall"}, "mallId"),
        ({"currency": "yuan"}, "currency"),
    ],
)
async def test_nonsense_is_refused(rooms: Rooms, fields: dict[str, Any], field: str) -> None:
    async with rooms("commerce") as room:
        with pytest.raises(Invalid) as refused:
            await report(room, **fields)
        assert refused.value.field == field


async def test_an_older_release_counts_too(rooms: Rooms) -> None:
    """It writes rows and knows nothing of marks."""
    async with rooms("commerce") as room:
        await fill_by_hand(room)
        await room.pool.execute("update attributions set userid = 'carl', version = version + 1 where userid = 'anna'")
        await room.pool.execute("update refunds set status = 'EXCESS'")
        await room.pool.execute("update orders set paid_at = paid_at + interval '1 day' where order_id = 'o4'")
        await work_off(sale_queue(room))
        assert await told(room, "STAFF") == {"carl": (2, 1501, 0), "bert": (1, 300, 0), "": (2, 45, 0)}
        assert await told(room, first_day=day(2)) == {day(3): (1, 5, 0)}


async def test_a_report_reads_the_days_and_no_orders(rooms: Rooms) -> None:
    """Thousands of orders of one day, employee and channel are one row."""
    async with rooms("commerce") as room:
        await fill_by_hand(room)
        await room.pool.execute(
            """
            insert into orders (
                corp_id, mall_id, order_id, buyer_id, currency, total_fen, created_at, paid_fen, paid_at
            )
            select corp_id, mall_id, 'more' || n, buyer_id, currency, total_fen, created_at, paid_fen, paid_at
            from orders, generate_series(1, 5000) n
            where order_id = 'o1'
            """
        )
        await room.pool.execute(
            """
            insert into attributions (
                corp_id, mall_id, order_id, buyer_id, ordered_at, paid_at, userid, contact_id, channel_id,
                paid, paid_fen, refunded_fen, version, attributed_version
            )
            select
                corp_id, mall_id, 'more' || n, buyer_id, ordered_at, paid_at, userid, contact_id, channel_id,
                paid, paid_fen, refunded_fen, 1, 1
            from attributions, generate_series(1, 5000) n
            where order_id = 'o1'
            """
        )
        before = await room.rows("select count(*)::int as n from sale_days")
        await work_off(sale_queue(room))
        assert (await told(room, "STAFF"))["anna"] == (5002, 1501 + 5000 * 500, 1001)
        assert await room.rows("select count(*)::int as n from sale_days") == before
