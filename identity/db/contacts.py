"""What WeCom says about contacts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chassis.pool import Connection

Contact = tuple[str, str]  # corp, contact id


async def sealed_ids(connection: Connection, contacts: Sequence[Contact]) -> dict[Contact, bytes]:
    rows = await connection.fetch(
        "select corp_id, identifier_id, sealed from identifiers where (corp_id, identifier_id) in"
        " (select * from unnest($1::text[], $2::uuid[]))",
        *zip(*contacts, strict=True),
    )
    return {(row["corp_id"], row["identifier_id"]): row["sealed"] for row in rows}


async def save(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, contact, sealed name, version); the highest version wins."""
    ordered = sorted(
        {row[:2]: row for row in sorted(rows, key=lambda r: (r[0], r[1], r[3]))}.values(), key=lambda r: r[:2]
    )
    if ordered:
        await connection.execute(
            "insert into contacts as c (corp_id, contact_id, sealed_name, version)"
            " select * from unnest($1::text[], $2::uuid[], $3::bytea[], $4::bigint[])"
            " on conflict (corp_id, contact_id) do update set sealed_name = excluded.sealed_name,"
            " version = excluded.version where c.version < excluded.version",
            *zip(*ordered, strict=True),
        )
