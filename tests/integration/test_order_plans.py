"""Lists and queues at a size: no plan reads what grows with the corp. Rows are made in bulk, plans are read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from chassis.work_queue import TAKE
from commerce.db import order_pages
from commerce.db import orders as orders_db
from commerce.db.order_filters import Wanted
from commerce.db.sale_days import SALE_DAYS
from tests.conftest import CORP, Room

Rooms = Callable[[str], Any]
ORDERS = 60_000
CUSTOMERS = 20_000
PAGE = 50

# Everybody is a friend of one of 500 guides; the last customer is one of the only two of `few`.
FILL = f"""
    insert into orders (
        corp_id, mall_id, order_id, detail_rank, buyer_id, currency, total_fen, created_at, paid_fen, paid_at, closed_at
    )
    select '{CORP}', case when n <= 30 then 'rare' else 'yz' end, 'o' || n, 'r', buyer(n % {CUSTOMERS}), 'CNY', 100,
        at, case when n > 20 then 100 end, case when n > 20 then at end, case when n <= 20 then at end
    from generate_series(1, {ORDERS}) n, lateral (select timestamptz '2026-01-01' + n * interval '1 s' as at) t;

    insert into attributions (
        corp_id, mall_id, order_id, ordered_at, paid_at, userid, channel_id, paid, paid_fen, refunded_fen, version
    )
    select corp_id, mall_id, order_id, created_at, paid_at,
        case when order_id in ('o1', 'o25') then 'few' else 'guide1' end,
        customer(case when order_id in ('o2', 'o26') then 1 else 2 end), paid_at is not null, 100, 0, 1
    from orders;

    insert into customer_identifiers (corp_id, identifier_id, customer_id, version)
    select '{CORP}', identifier, customer(n), 1
    from generate_series(0, {CUSTOMERS} - 1) n, unnest(array[buyer(n), contact(n)]) identifier;

    insert into relation_spans (corp_id, contact_id, userid, added_at)
    select '{CORP}', contact(n), 'guide' || n % 500, timestamptz '2025-01-01'
    from generate_series(0, {CUSTOMERS} - 1) n;
    insert into relation_spans (corp_id, contact_id, userid, added_at)
    select '{CORP}', contact(n), 'few', timestamptz '2025-01-01'
    from unnest(array[1, {CUSTOMERS} - 1]) n;

    insert into staff_places (corp_id, userid, active, within_department_ids, managed_department_ids, version)
    select '{CORP}', 'guide' || n, true, array[1, n], array[]::bigint[], 1 from generate_series(0, 499) n;
    insert into staff_places (corp_id, userid, active, within_department_ids, managed_department_ids, version)
    values ('{CORP}', 'boss', true, array[1], array[1], 1), ('{CORP}', 'lead', true, array[1], array[7], 1);

    insert into attribution_marks (corp_id, identifier_id)
    select '{CORP}', buyer(n) from generate_series(1, {ORDERS}) n;
    analyze orders, attributions, customer_identifiers, relation_spans, staff_places, attribution_marks;
"""
NAMES = "".join(
    f"""
    create function {kind}(n bigint) returns uuid language sql immutable as
    $$ select md5('{kind}' || n)::uuid $$;
    """
    for kind in ("buyer", "contact", "customer")
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full(rooms: Rooms) -> AsyncIterator[Room]:
    async with rooms("commerce") as room:
        async with room.pool.acquire() as connection:
            await connection.execute("set statement_timeout = 0; set transaction_timeout = 0")
            await connection.execute(NAMES)
            await connection.execute(FILL, timeout=300)
            await connection.execute("reset statement_timeout; reset transaction_timeout")
        yield room


async def most_read(room: Room, query: str, *arguments: Any) -> int:
    """The most rows that any node of the plan read, those that it dropped included."""
    async with room.pool.acquire() as connection, connection.transaction():
        plan = json.loads(await connection.fetchval(f"explain (analyze, timing off, format json) {query}", *arguments))[
            0
        ]["Plan"]
    return max(_reads(plan))


def _reads(node: dict[str, Any]) -> list[int]:
    dropped = sum(value for key, value in node.items() if key.startswith("Rows Removed"))
    own = int((node["Actual Rows"] + dropped) * node["Actual Loops"])
    return [own, *(rows for child in node.get("Plans", ()) for rows in _reads(child))]


async def reads(
    room: Room, column: str = "created_at", own: str | None = None, few: bool = False, **wanted: Any
) -> int:
    """The most rows that a node reads for a page, in whichever direction, and for its total."""
    listing = order_pages.Listing(CORP, own, Wanted(**wanted), column, few=few)
    statements = [listing.page(None, PAGE, descending=descending) for descending in (True, False)]
    if not few:
        statements.append(listing.count(PAGE))
    return max([await most_read(room, statement, *arguments) for statement, arguments in statements])


@pytest.mark.parametrize("column", ["created_at", "paid_at"])
async def test_all_orders_of_a_corp(full: Room, column: str) -> None:
    assert await reads(full, column) <= 2 * PAGE


async def test_a_page_deep_in_the_list(full: Room) -> None:
    row = (await full.rows("select created_at from orders order by created_at limit 1 offset 10000"))[0]
    statement, arguments = order_pages.Listing(CORP, None, Wanted(), "created_at", few=False).page(
        (row["created_at"], "yz", ""), PAGE, descending=True
    )
    assert await most_read(full, statement, *arguments) <= PAGE


@pytest.mark.parametrize("column", ["created_at", "paid_at"])
@pytest.mark.parametrize(
    "wanted",
    [
        {"status": "CLOSED"},
        {"status": "PAID"},
        {"mall_id": "rare"},
        {"mall_id": "nowhere"},
        {"userid": "few"},
        {"userid": "guide1"},
        {"userid": "nobody"},
        {"channel_id": "rare"},
        {"order_id": "o31"},
        {"order_id": "o31", "userid": "guide1"},
    ],
    ids=str,
)
async def test_each_filter_in_each_order(full: Room, wanted: dict[str, Any], column: str) -> None:
    if "channel_id" in wanted:
        wanted = {"channel_id": str((await full.rows("select customer(1) as id"))[0]["id"])}
    assert await reads(full, column, **wanted) <= PAGE


@pytest.mark.parametrize("wanted", [{}, {"mall_id": "yz"}, {"userid": "guide1"}, {"status": "PAID"}], ids=str)
async def test_a_period_of_payments(full: Room, wanted: dict[str, Any]) -> None:
    since, until = datetime(2026, 1, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC)
    assert await reads(full, "paid_at", paid_since=since, paid_until=until, **wanted) <= PAGE


async def test_the_orders_of_one_customer(full: Room) -> None:
    customer = (await full.rows("select customer(5) as id"))[0]["id"]
    assert await reads(full, customer_id=str(customer)) <= 10
    assert await reads(full, customer_id=str(customer), userid="guide1", status="PAID") <= 10


async def test_an_employee_with_few_customers(full: Room) -> None:
    assert await most_read(full, order_pages.COUNT, CORP, "few", order_pages.FEW + 1) <= 10
    assert await reads(full, own="few", few=True) <= 50
    assert await reads(full, "paid_at", own="few", few=True, userid="guide1", mall_id="yz") <= 50


async def test_a_manager_of_one_guide(full: Room) -> None:
    """The guide has 40 customers with three orders each."""
    assert await reads(full, own="lead", few=True) <= 1_000


@pytest.mark.parametrize("wanted", [{}, {"userid": "guide1"}, {"order_id": "o31"}], ids=str)
async def test_a_manager_of_everybody(full: Room, wanted: dict[str, Any]) -> None:
    """Nearly every order is theirs: a page needs little more than itself."""
    assert await reads(full, own="boss", **wanted) <= 2_000


@pytest.mark.parametrize(("userid", "orders"), [("few", 1), ("", 0), ("nobody", 0)])
async def test_a_day_of_one_employee_is_counted_from_their_own_orders(full: Room, userid: str, orders: int) -> None:
    """Sixty thousand orders of others were paid on that day."""
    channel_id = str((await full.rows("select customer(2) as id"))[0]["id"])
    statement = f"""
        with keys as (
            select *
            from (values ($1, $2::date, 'rare', $3, $4, 'CNY', $5::timestamptz, $6::timestamptz))
                as k (corp_id, day, mall_id, channel_id, userid, currency, since, until)
        )
        {SALE_DAYS.counting}
    """
    since = datetime(2026, 1, 1, tzinfo=UTC)
    arguments = CORP, since.date(), channel_id if userid else "", userid, since, since + timedelta(days=1)
    assert await most_read(full, statement, *arguments) <= 10
    rows = await full.pool.fetch(statement, *arguments)
    assert sum(row["paid_orders"] for row in rows) == orders


async def test_whether_a_customer_is_in_scope(full: Room) -> None:
    customer = (await full.rows("select customer(1) as id"))[0]["id"]
    assert await most_read(full, order_pages.IN_SCOPE, CORP, "few", customer) <= 20


async def test_showing_a_page(full: Room) -> None:
    keys = [(CORP, "yz", f"o{number}") for number in range(1, PAGE + 1)]
    assert await most_read(full, orders_db.SHOW, *zip(*keys, strict=True)) <= 4 * PAGE


async def test_marks_are_taken_along_an_index(full: Room) -> None:
    take = TAKE.format(table="attribution_marks", key="mark_id")
    assert await most_read(full, take, 100, []) <= 300


@pytest.mark.parametrize("own", ["few", "lead", "boss", None])
async def test_every_way_finds_the_same_page(full: Room, own: str | None) -> None:
    """Whichever way is taken, the orders are those whose customer somebody in scope follows."""
    async with full.pool.acquire() as connection:
        listing = await order_pages.listing(connection, CORP, own, Wanted(), "created_at")
        assert listing is not None
        found = await order_pages.page(connection, listing, None, PAGE, descending=True)
    expected = await full.rows(
        """
        select o.order_id
        from orders o
        join customer_identifiers i on (i.corp_id, i.identifier_id) = (o.corp_id, o.buyer_id)
        where $1::text is null or $1 = 'boss' or exists (
            select from customer_identifiers c join relation_spans s on s.contact_id = c.identifier_id
            where c.customer_id = i.customer_id and s.userid = any($2::text[])
        )
        order by o.created_at desc, o.mall_id desc, o.order_id desc
        limit $3
        """,
        own,
        {"few": ["few"], "lead": ["guide7"]}.get(own or "", []),
        PAGE,
    )
    assert [order_id for (_, _, order_id), _ in found] == [row["order_id"] for row in expected]
