"""Lists and queues at a size: no plan reads what grows with the corp. Rows are made in bulk, plans are read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from chassis.work_queue import TAKE
from commerce.db import order_pages
from commerce.db import orders as orders_db
from commerce.rpc.orders import NEWEST
from tests.conftest import CORP, Room

Rooms = Callable[[str], Any]
ORDERS = 60_000
CUSTOMERS = 20_000
PAGE = 50

# Everybody is a friend of one of 500 guides; the last customer is one of the only two of `few`.
FILL = f"""
    insert into orders (corp_id, mall_id, order_id, detail_rank, buyer_id, currency, total_fen, created_at)
    select '{CORP}', 'yz', 'o' || n, 'r', buyer(n % {CUSTOMERS}), 'CNY', 100,
        timestamptz '2026-01-01' + n * interval '1 s'
    from generate_series(1, {ORDERS}) n;

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
    analyze orders, customer_identifiers, relation_spans, staff_places, attribution_marks;
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


async def test_the_newest_orders_of_a_corp(full: Room) -> None:
    assert await most_read(full, order_pages.ALL, CORP, *NEWEST, PAGE) <= PAGE


async def test_a_page_deep_in_the_list(full: Room) -> None:
    row = (await full.rows("select created_at from orders order by created_at limit 1 offset 10000"))[0]
    assert await most_read(full, order_pages.ALL, CORP, row["created_at"], "yz", "", PAGE) <= PAGE


async def test_the_orders_of_one_customer(full: Room) -> None:
    customer = (await full.rows("select customer(5) as id"))[0]["id"]
    assert await most_read(full, order_pages.OF_CUSTOMER, CORP, *NEWEST, PAGE, customer) <= 10


async def test_an_employee_with_few_customers(full: Room) -> None:
    assert await most_read(full, order_pages.COUNT, CORP, "few", order_pages.FEW + 1) <= 10
    assert await most_read(full, order_pages.OF_FEW, CORP, "few", *NEWEST, PAGE) <= 50


async def test_a_manager_of_one_guide(full: Room) -> None:
    """The guide has 40 customers with three orders each."""
    assert await most_read(full, order_pages.OF_FEW, CORP, "lead", *NEWEST, PAGE) <= 1_000


async def test_a_manager_of_everybody(full: Room) -> None:
    """Nearly every order is theirs: a page needs little more than itself."""
    assert await most_read(full, order_pages.OF_MANY, CORP, "boss", *NEWEST, PAGE) <= 2_000


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
        found = await order_pages.page(connection, CORP, own, None, NEWEST, PAGE)
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
    assert [order_id for _, _, order_id in found] == [row["order_id"] for row in expected]
