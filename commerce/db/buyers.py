"""Buyers as malls name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row

Buyer = tuple[str, str]  # corp, buyer id


@dataclass(frozen=True, slots=True, order=True)
class Named:
    corp_id: str
    buyer_id: str
    mall_id: str
    kind: str
    sealed: bytes


async def add(connection: Connection, buyers: Iterable[Named]) -> list[Buyer]:
    """Returns those whom nobody has identified yet, and those with an order earlier than the first that was stated."""
    ordered = sorted({(one.corp_id, one.buyer_id): one for one in buyers}.values())
    if not ordered:
        return []
    rows = await connection.fetch(
        """
        with named as (
            select *
            from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bytea[])
                as t(corp_id, buyer_id, mall_id, kind, sealed)
        ),
        added as (
            insert into buyers (corp_id, buyer_id, mall_id, kind, sealed)
            select corp_id, buyer_id, mall_id, kind, sealed
            from named
            on conflict do nothing
            returning corp_id, buyer_id
        )
        select corp_id, buyer_id
        from added
        union
        select b.corp_id, b.buyer_id
        from named
        join buyers b using (corp_id, buyer_id)
        where b.identified_at is null
            or b.first_ordered_at > (
                select min(o.created_at) from orders o where (o.corp_id, o.buyer_id) = (b.corp_id, b.buyer_id)
            )
        """,
        [one.corp_id for one in ordered],
        [one.buyer_id for one in ordered],
        [one.mall_id for one in ordered],
        [one.kind for one in ordered],
        [one.sealed for one in ordered],
    )
    return [(row["corp_id"], row["buyer_id"]) for row in rows]


async def get(connection: Connection, buyers: Sequence[Buyer]) -> dict[Buyer, Row]:
    rows = await connection.fetch(
        """
        select *
        from buyers
        where (corp_id, buyer_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        *zip(*buyers, strict=True),
    )
    return {(row["corp_id"], row["buyer_id"]): row for row in rows}


async def first_orders(connection: Connection, buyers: Sequence[Buyer]) -> dict[Buyer, datetime]:
    """When each of them ordered first, as far as is known."""
    ordered = sorted(buyers)
    if not ordered:
        return {}
    rows = await connection.fetch(
        """
        select corp_id, buyer_id, min(created_at) as at
        from orders
        where created_at is not null
            and (corp_id, buyer_id) in (select * from unnest($1::text[], $2::uuid[]))
        group by corp_id, buyer_id
        """,
        *zip(*ordered, strict=True),
    )
    return {(row["corp_id"], row["buyer_id"]): row["at"] for row in rows}


async def save_identified(connection: Connection, told: Sequence[tuple[str, str, datetime]]) -> None:
    """Of (corp, buyer, first ordered at): what was told of them."""
    ordered = sorted(told)
    if ordered:
        await connection.execute(
            """
            update buyers b
            set identified_at = now(), first_ordered_at = t.at
            from unnest($1::text[], $2::uuid[], $3::timestamptz[]) as t(corp_id, buyer_id, at)
            where (b.corp_id, b.buyer_id) = (t.corp_id, t.buyer_id)
            """,
            *zip(*ordered, strict=True),
        )
