"""Buyers as malls name them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.pool import Connection, Row

Buyer = tuple[str, str]  # corp, buyer id


async def get(connection: Connection, buyers: Sequence[Buyer]) -> dict[Buyer, Row]:
    rows = await connection.fetch(
        "select * from buyers where (corp_id, buyer_id) in (select * from unnest($1::text[], $2::uuid[]))",
        *zip(*buyers, strict=True),
    )
    return {(row["corp_id"], row["buyer_id"]): row for row in rows}


async def first_orders(connection: Connection, buyers: Sequence[Buyer]) -> dict[Buyer, datetime]:
    """When each of them ordered first, as far as is known."""
    ordered = sorted(buyers)
    if not ordered:
        return {}
    rows = await connection.fetch(
        "select corp_id, buyer_id, min(created_at) as at from orders where created_at is not null"
        " and (corp_id, buyer_id) in (select * from unnest($1::text[], $2::uuid[])) group by corp_id, buyer_id",
        *zip(*ordered, strict=True),
    )
    return {(row["corp_id"], row["buyer_id"]): row["at"] for row in rows}


async def identified(connection: Connection, rows: Sequence[tuple[str, str, datetime]]) -> None:
    """Rows of (corp, buyer, first ordered at)."""
    ordered = sorted(rows)
    if ordered:
        await connection.execute(
            "update buyers b set identified_at = now(), first_ordered_at = t.at"
            " from unnest($1::text[], $2::uuid[], $3::timestamptz[]) as t(corp_id, buyer_id, at)"
            " where (b.corp_id, b.buyer_id) = (t.corp_id, t.buyer_id)",
            *zip(*ordered, strict=True),
        )
