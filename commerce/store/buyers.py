"""Buyers as malls name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.pool import Connection

Row = Mapping[str, Any]


async def get(connection: Connection, corp_id: str, buyer_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        "select * from buyers where corp_id = $1 and buyer_id = $2", corp_id, buyer_id
    )
    return row


async def identified(connection: Connection, corp_id: str, buyer_id: str) -> None:
    await connection.execute(
        "update buyers set identified_at = now() where corp_id = $1 and buyer_id = $2", corp_id, buyer_id
    )
