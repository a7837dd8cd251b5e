"""Add events and their kinds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


async def insert(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, touch, contact, sealed, userid, channel, code, fallback, half, welcome, added, arrived)."""
    columns = list(zip(*sorted(rows, key=lambda r: r[:2]), strict=True))
    await connection.execute(
        "insert into touches (corp_id, touch_id, contact_id, sealed_contact, userid, channel_id, live_code_id,"
        " fallback, half, sealed_welcome_code, added_at, arrived_at)"
        " select * from unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[], $5::text[], $6::uuid[], $7::uuid[],"
        " $8::text[], $9::bool[], $10::bytea[], $11::timestamptz[], $12::timestamptz[]) on conflict do nothing",
        *columns,
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
