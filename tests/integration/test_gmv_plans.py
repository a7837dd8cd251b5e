"""GMV at a size: what is read grows with the time that is asked for, and with nothing else of any corp."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from commerce.db import gmv
from tests.conftest import CORP, Room
from tests.integration.test_order_plans import NAMES, most_read

Rooms = Callable[[str], Any]
SMALL = "ww00000000000000bb"
ORDERS = {CORP: 200_000, SMALL: 200}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

# One order a second, paid at once; every tenth is given back a minute later; three orders a buyer.
FILL = """
    insert into orders (
        corp_id, mall_id, order_id, detail_rank, buyer_id, currency, total_fen, created_at, paid_rank, paid_fen, paid_at
    )
    select '{corp}', 'yz', 'o' || n, 'r', buyer(n / 3), 'CNY', 100, at, 'r', 100, at
    from generate_series(1, {orders}) n, lateral (select timestamptz '2026-01-01Z' + n * interval '1 s' as at) t;

    insert into refunds (
        corp_id, mall_id, refund_id, order_id, amount_fen, at, status, fact_id, subject, headers, payload
    )
    select '{corp}', 'yz', 'r' || n, 'o' || n, 50, timestamptz '2026-01-01Z' + (n + 60) * interval '1 s',
        'ACCEPTED', 'f' || n, '', '{{}}', ''
    from generate_series(10, {orders}, 10) n;

    insert into customer_identifiers (corp_id, identifier_id, customer_id, version)
    select '{corp}', buyer(n), customer(n), 1
    from generate_series(0, {orders} / 3) n;

    insert into attributions (
        corp_id, mall_id, order_id, userid, channel_id, paid, paid_fen, refunded_fen, version, attributed_version
    )
    select '{corp}', 'yz', 'o' || n, 'guide' || n % 500, customer(n % 20), true, 100, 0, 1, 1
    from generate_series(1, {orders}) n;
"""
STATEMENTS = {
    "by_status": (gmv.BY_STATUS, ()),
    "totals": (gmv.TOTALS, ()),
    "by_staff": (gmv.SHARES, ("CNY", "userid")),
    "by_channel": (gmv.SHARES, ("CNY", "channel_id")),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full(rooms: Rooms) -> AsyncIterator[Room]:
    async with rooms("commerce") as room:
        async with room.pool.acquire() as connection:
            await connection.execute("set statement_timeout = 0; set transaction_timeout = 0")
            await connection.execute(NAMES)
            for corp, orders in ORDERS.items():
                await connection.execute(FILL.format(corp=corp, orders=orders), timeout=300)
            await connection.execute("vacuum analyze orders, refunds, customer_identifiers, attributions")
            await connection.execute("reset statement_timeout; reset transaction_timeout")
        yield room


async def read_until(room: Room, statement: str, corp_id: str, orders: int) -> int:
    """The most rows that any part of the plan reads, asked for the time of the first orders."""
    query, arguments = STATEMENTS[statement]
    return await most_read(room, query, corp_id, BEGAN + timedelta(seconds=orders), *arguments)


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_a_small_corp_pays_for_nobody_else(full: Room, statement: str) -> None:
    assert await read_until(full, statement, SMALL, ORDERS[SMALL] + 60) <= 2 * ORDERS[SMALL]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("orders", [500, 5_000])
async def test_a_short_time_of_a_big_corp_reads_no_more_than_its_orders(
    full: Room, statement: str, orders: int
) -> None:
    assert await read_until(full, statement, CORP, orders) <= 2 * orders
