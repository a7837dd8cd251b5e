"""Attribution in SQL: the fast twin of the rule in commerce/domain/attribution.py, held to it by a property test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chassis.pool import Connection, Row
from commerce.db.orders import Key
from commerce.domain.attribution import Window

ATTRIBUTE = Path(__file__).with_name("attribute.sql").read_text()


async def attribute(connection: Connection, keys: Sequence[Key], windows: Mapping[str, Window]) -> Sequence[Row]:
    """Attributes the orders and returns those of which anything changed that the fact states."""
    corps = sorted({corp_id for corp_id, _, _ in keys})
    rows: Sequence[Row] = await connection.fetch(
        ATTRIBUTE,
        *zip(*sorted(keys), strict=True),
        corps,
        [windows[corp_id].days for corp_id in corps],
        [windows[corp_id].zone.key for corp_id in corps],
    )
    return rows


async def lock_orders_of(
    connection: Connection, people: Sequence[tuple[str, str]], orders: Sequence[Key]
) -> dict[Key, Row]:
    """Locks these orders and all orders of these people (corp, identifier id), in key order, and returns them."""
    rows = await connection.fetch(
        """
        with marked as (
            select * from unnest($1::text[], $2::uuid[]) as t(corp_id, identifier_id)
        ),
        -- Every other identifier of the same customers.
        people as (
            select corp_id, identifier_id from marked
            union
            select b.corp_id, b.identifier_id
            from marked m
            join customer_identifiers a on (a.corp_id, a.identifier_id) = (m.corp_id, m.identifier_id)
            join customer_identifiers b on (b.corp_id, b.customer_id) = (a.corp_id, a.customer_id)
        ),
        wanted as (
            select * from unnest($3::text[], $4::text[], $5::text[]) as t(corp_id, mall_id, order_id)
            union
            select o.corp_id, o.mall_id, o.order_id
            from people p
            join orders o on (o.corp_id, o.buyer_id) = (p.corp_id, p.identifier_id)
        )
        select o.*
        from orders o
        where (o.corp_id, o.mall_id, o.order_id) in (select * from wanted)
        order by o.corp_id, o.mall_id, o.order_id
        for update
        """,
        *(zip(*people, strict=True) if people else ([], [])),
        *(zip(*orders, strict=True) if orders else ([], [], [])),
    )
    return {(row["corp_id"], row["mall_id"], row["order_id"]): row for row in rows}
