"""Buyers as malls name them."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row

Buyer = tuple[str, str]  # corp, buyer id


async def get(connection: Connection, buyers: Sequence[Buyer]) -> dict[Buyer, Row]:
    rows = await connection.fetch(
        "select * from buyers where (corp_id, buyer_id) in (select * from unnest($1::text[], $2::uuid[]))",
        *zip(*buyers, strict=True),
    )
    return {(row["corp_id"], row["buyer_id"]): row for row in rows}


async def identified(connection: Connection, buyers: Sequence[Buyer]) -> None:
    ordered = sorted(buyers)
    if ordered:
        await connection.execute(
            "update buyers b set identified_at = now() from unnest($1::text[], $2::uuid[]) as t(corp_id, buyer_id)"
            " where (b.corp_id, b.buyer_id) = (t.corp_id, t.buyer_id)",
            *zip(*ordered, strict=True),
        )
