"""Identifiers and whose they are. Every set is sorted by key; callers lock identifiers before they write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class NewIdentifier:
    """A row to add; `customer_id` None: it waits, locked, for its customer."""

    identifier_id: str
    kind: str
    scope: str
    sealed: bytes
    first_seen: datetime
    customer_id: str | None


async def known_identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, datetime]:
    """Those of the identifiers that are known → when they were first seen."""
    rows = await connection.fetch(
        """
        select identifier_id, first_seen
        from identifiers
        where corp_id = $1
          and identifier_id = any($2::uuid[])
        """,
        corp_id,
        ids,
    )
    return {row["identifier_id"]: row["first_seen"] for row in rows}


async def add_identifiers(connection: Connection, corp_id: str, new: Iterable[NewIdentifier]) -> list[str]:
    """Adds them, and the customers that some have. Returns those that were not there, sorted."""
    ordered = sorted(new, key=lambda one: one.identifier_id)
    rows = await connection.fetch(
        """
        with added as (
            insert into identifiers (corp_id, identifier_id, kind, scope, sealed, first_seen, customer_id)
            select $1, *
            from unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::uuid[])
            on conflict do nothing
            returning corp_id, identifier_id, first_seen, customer_id
        ),
        made as (
            insert into customers (corp_id, customer_id, created_at)
            select corp_id, customer_id, first_seen
            from added
            where customer_id is not null
        )
        select identifier_id
        from added
        order by identifier_id
        """,
        corp_id,
        [one.identifier_id for one in ordered],
        [one.kind for one in ordered],
        [one.scope for one in ordered],
        [one.sealed for one in ordered],
        [one.first_seen for one in ordered],
        [one.customer_id for one in ordered],
    )
    return [row["identifier_id"] for row in rows]


async def lock_identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, Row]:
    rows = await connection.fetch(
        """
        select identifier_id, kind, customer_id, quarantined, first_seen
        from identifiers
        where corp_id = $1
          and identifier_id = any($2::uuid[])
        order by identifier_id
        for update
        """,
        corp_id,
        ids,
    )
    return {row["identifier_id"]: row for row in rows}


async def read_identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, Row]:
    """kind and quarantined of each, as it is now and unlocked."""
    rows = await connection.fetch(
        """
        select identifier_id, kind, quarantined
        from identifiers
        where corp_id = $1
          and identifier_id = any($2::uuid[])
        """,
        corp_id,
        ids,
    )
    return {row["identifier_id"]: row for row in rows}


async def see(connection: Connection, corp_id: str, seen: Mapping[str, datetime]) -> None:
    """Identifier → an earlier time at which it was seen."""
    ids = sorted(seen)
    await connection.execute(
        """
        update identifiers i
        set first_seen = least(i.first_seen, t.at)
        from unnest($2::uuid[], $3::timestamptz[]) as t(id, at)
        where i.corp_id = $1
          and i.identifier_id = t.id
        """,
        corp_id,
        ids,
        [seen[one] for one in ids],
    )


async def assign(connection: Connection, corp_id: str, owners: Mapping[str, str | None]) -> None:
    """Identifier → customer; None quarantines."""
    ids = sorted(owners)
    await connection.execute(
        """
        update identifiers i
        set customer_id = t.customer, quarantined = t.customer is null
        from unnest($2::uuid[], $3::uuid[]) as t(id, customer)
        where i.corp_id = $1
          and i.identifier_id = t.id
        """,
        corp_id,
        ids,
        [owners[one] for one in ids],
    )


async def next_versions(connection: Connection, count: int) -> list[int]:
    """Rising numbers, taken under the identifiers' locks: per identifier a later statement has a higher one."""
    if count == 0:
        return []
    rows = await connection.fetch("select nextval('assignment_versions') as v from generate_series(1, $1)", count)
    return [row["v"] for row in rows]
