"""Add events and their kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chassis.pool import Connection, Row

Contact = tuple[str, str]  # corp, contact id


async def lock_contacts(connection: Connection, contacts: Sequence[Contact]) -> None:
    columns = list(zip(*sorted(contacts), strict=True))
    await connection.execute(
        "insert into contacts_touched select * from unnest($1::text[], $2::uuid[]) on conflict do nothing", *columns
    )
    await connection.execute(
        "select 1 from contacts_touched where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))"
        " order by corp_id, contact_id for update",
        *columns,
    )


COLUMNS: dict[str, str] = {
    "corp_id": "text",
    "touch_id": "text",
    "contact_id": "uuid",
    "sealed_contact": "bytea",
    "userid": "text",
    "channel_id": "uuid",
    "live_code_id": "uuid",
    "fallback": "text",
    "half": "bool",
    "sealed_welcome_code": "bytea",
    "added_at": "timestamptz",
    "arrived_at": "timestamptz",
    "kind": "text",
    "version": "bigint",
}


async def insert(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Whole rows, by column name."""
    ordered = sorted(rows, key=lambda row: (row["corp_id"], row["touch_id"]))
    arrays = ", ".join(f"${position}::{kind}[]" for position, kind in enumerate(COLUMNS.values(), start=1))
    await connection.execute(
        f"insert into touches ({', '.join(COLUMNS)}) select * from unnest({arrays}) on conflict do nothing",
        *([row[name] for row in ordered] for name in COLUMNS),
    )


async def of_contacts(connection: Connection, contacts: Sequence[Contact]) -> Sequence[Row]:
    columns = list(zip(*sorted(contacts), strict=True))
    rows: Sequence[Row] = await connection.fetch(
        "select * from touches where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))", *columns
    )
    return rows


async def set_kinds(connection: Connection, rows: Iterable[tuple[str, str, str, int]]) -> None:
    """Rows of (corp, touch, kind, version)."""
    columns = list(zip(*sorted(rows), strict=True))
    await connection.execute(
        "update touches t set kind = n.kind, version = n.version"
        " from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as n(corp_id, touch_id, kind, version)"
        " where (t.corp_id, t.touch_id) = (n.corp_id, n.touch_id)",
        *columns,
    )
