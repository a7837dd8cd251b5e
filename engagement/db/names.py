"""Names of contacts and staff, as identity last said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chassis.pool import Connection

Contact = tuple[str, str]


async def lock_contacts(connection: Connection, contacts: Sequence[Contact]) -> set[Contact]:
    """Locks the contacts, making rows for unknown ones; returns those whose name is known.

    Everybody locks them in these two steps: an upsert beside it holds an old row while it waits for a new one, and we
    the other way round.
    """
    columns = list(zip(*sorted(contacts), strict=True))
    await connection.execute(
        "insert into contacts (corp_id, contact_id) select * from unnest($1::text[], $2::uuid[])"
        " on conflict do nothing",
        *columns,
    )
    rows = await connection.fetch(
        "select corp_id, contact_id, sealed_name is not null as known from contacts where (corp_id, contact_id) in"
        " (select * from unnest($1::text[], $2::uuid[])) order by corp_id, contact_id for update",
        *columns,
    )
    return {(row["corp_id"], row["contact_id"]) for row in rows if row["known"]}


async def save_contacts(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, contact, sealed_name, version), one per contact; the highest version wins."""
    ordered = sorted(rows, key=lambda r: r[:2])
    await lock_contacts(connection, [row[:2] for row in ordered])
    await connection.execute(
        "update contacts c set sealed_name = t.sealed_name, version = t.version"
        " from unnest($1::text[], $2::uuid[], $3::bytea[], $4::bigint[])"
        " as t(corp_id, contact_id, sealed_name, version)"
        " where (c.corp_id, c.contact_id) = (t.corp_id, t.contact_id) and c.version < t.version",
        *zip(*ordered, strict=True),
    )


async def save_staff(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, userid, sealed_name, version), one per member; the highest version wins."""
    columns = list(zip(*sorted(rows, key=lambda r: r[:2]), strict=True))
    await connection.execute(
        "insert into staff as s (corp_id, userid, sealed_name, version)"
        " select * from unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[])"
        " on conflict (corp_id, userid) do update set sealed_name = excluded.sealed_name,"
        " version = excluded.version where s.version < excluded.version",
        *columns,
    )


async def sealed_contact(connection: Connection, corp_id: str, contact_ids: Sequence[str]) -> dict[str, bytes]:
    rows = await connection.fetch(
        "select contact_id, sealed_name from contacts"
        " where corp_id = $1 and contact_id = any($2::uuid[]) and sealed_name is not null",
        corp_id,
        contact_ids,
    )
    return {row["contact_id"]: row["sealed_name"] for row in rows}
