"""Names of contacts and staff, as identity last said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.pool import Connection
from chassis.projection import Projection

Contact = tuple[str, str]

CONTACTS = Projection("contacts", {"corp_id": "text", "contact_id": "uuid"}, {"sealed_name": "bytea"})
STAFF = Projection("staff", {"corp_id": "text", "userid": "text"}, {"sealed_name": "bytea"})


async def lock_contacts(connection: Connection, contacts: Sequence[Contact]) -> set[Contact]:
    """Locks the contacts, making rows for unknown ones; returns those whose name is known.

    Whoever writes contacts calls this first: an upsert takes old and new rows in another order, and the two would wait
    for each other.
    """
    columns = list(zip(*sorted(contacts), strict=True))
    await connection.execute(
        """
        insert into contacts (corp_id, contact_id)
        select * from unnest($1::text[], $2::uuid[])
        on conflict do nothing
        """,
        *columns,
    )
    rows = await connection.fetch(
        """
        select corp_id, contact_id, sealed_name is not null as known
        from contacts
        where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))
        order by corp_id, contact_id
        for update
        """,
        *columns,
    )
    return {(row["corp_id"], row["contact_id"]) for row in rows if row["known"]}


async def save_contacts(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """The highest version wins."""
    await lock_contacts(connection, sorted({(row["corp_id"], row["contact_id"]) for row in rows}))
    await CONTACTS.save(connection, rows)


async def sealed_contact(connection: Connection, corp_id: str, contact_ids: Sequence[str]) -> dict[str, bytes]:
    rows = await connection.fetch(
        """
        select contact_id, sealed_name
        from contacts
        where corp_id = $1
          and contact_id = any($2::uuid[])
          and sealed_name is not null
        """,
        corp_id,
        contact_ids,
    )
    return {row["contact_id"]: row["sealed_name"] for row in rows}
