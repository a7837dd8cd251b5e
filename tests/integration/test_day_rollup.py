"""Rows of a roll-up equal a plain group-by, whoever counts them and however often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.kernel.corps import Corp, Corps
from chassis.kernel.day_rollup import DayRollup, mark_where_zones_changed
from tests.conftest import CORP, Room

Rooms = Callable[..., Any]
SALES = DayRollup(
    "sale_days",
    {"shop": "text"},
    ("sales", "fen"),
    """
    select k.corp_id, k.day, k.shop, count(*) as sales, sum(s.fen)::bigint as fen
    from keys k
    join sales s on s.shop = k.shop and s.at >= k.since and s.at < k.until
    group by k.corp_id, k.day, k.shop
    """,
)
TABLES = """
    create table sales (shop text, at timestamptz, fen bigint);
    create table sale_days (
        corp_id text,
        day date,
        shop text,
        sales bigint not null default 0,
        fen bigint not null default 0,
        primary key (corp_id, day, shop)
    );
"""
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def corps(zone: str = "Asia/Shanghai") -> Corps:
    return Corps((Corp.model_construct(corp_id=CORP, name="c", timezone=zone, app=(), mall=(), role=()),))


async def rolled_up(room: Room) -> dict[tuple[date, str], tuple[int, int]]:
    rows = await room.pool.fetch("select * from sale_days where sales > 0")
    return {(row["day"], row["shop"]): (row["sales"], row["fen"]) for row in rows}


async def grouped(room: Room, zone: str) -> dict[tuple[date, str], tuple[int, int]]:
    rows = await room.pool.fetch(
        """
        select (at at time zone $1)::date as day, shop, count(*) as sales, sum(fen)::bigint as fen
        from sales
        group by 1, 2
        """,
        zone,
    )
    return {(row["day"], row["shop"]): (row["sales"], row["fen"]) for row in rows}


async def count(room: Room, keys: set[tuple[Any, ...]], zone: str) -> None:
    async with room.pool.acquire() as connection, connection.transaction():
        await SALES.count(connection, keys, corps(zone))


hours = st.integers(0, 72)


@settings(max_examples=8)
@given(
    batches=st.lists(st.lists(st.tuples(hours, st.sampled_from("ab")), min_size=1, max_size=5), min_size=1, max_size=6),
    zone=st.sampled_from(["Asia/Shanghai", "Asia/Kolkata", "America/New_York"]),
)
async def test_any_number_may_count_at_once(rooms: Rooms, batches: list[list[tuple[int, str]]], zone: str) -> None:
    async with rooms("acquisition") as room:
        await room.pool.execute(TABLES)

        async def sell_and_count(batch: list[tuple[int, str]]) -> None:
            keys = set()
            for hour, shop in batch:
                at = BEGIN + timedelta(hours=hour)
                await room.pool.execute("insert into sales values ($1, $2, $3)", shop, at, hour)
                keys.add((CORP, corps(zone).get(CORP).day_of(at), shop))
            await count(room, keys, zone)

        await asyncio.gather(*map(sell_and_count, batches))
        assert await rolled_up(room) == await grouped(room, zone)


async def test_what_is_gone_counts_nothing(rooms: Rooms) -> None:
    async with rooms("acquisition") as room:
        await room.pool.execute(TABLES)
        await room.pool.execute("insert into sales values ('a', $1, 5)", BEGIN)
        await count(room, {(CORP, BEGIN.date(), "a")}, "Asia/Shanghai")
        await room.pool.execute("delete from sales")
        await count(room, {(CORP, BEGIN.date(), "a"), ("ww-gone", BEGIN.date(), "a")}, "Asia/Shanghai")
        assert await rolled_up(room) == {}


async def test_days_are_marked_once_for_each_zone(rooms: Rooms) -> None:
    async with rooms("acquisition") as room:
        marked = []

        async def mark_all(_: Any, corp: Corp) -> None:
            marked.append(corp.timezone)

        for zone in ("Asia/Shanghai", "Asia/Shanghai", "Asia/Tokyo", "Asia/Tokyo"):
            await mark_where_zones_changed(room.pool, corps(zone), "sales", mark_all)
        assert marked == ["Asia/Shanghai", "Asia/Tokyo"]
