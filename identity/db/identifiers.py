"""Identifiers and whose they are. Every set is sorted by key; callers lock identifiers before they write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class NewIdentifier:
    """A row to add, with the customer that it will most likely have."""

    identifier_id: str
    kind: str
    scope: str
    sealed: bytes
    first_seen: datetime
    customer_id: str
    # The customer's id was made for it and what is linked to it: nobody has it yet.
    is_made: bool
    # It is a customer of its own, who is added with it.
    is_alone: bool

    @property
    def row(self) -> Row:
        """As those who hold it read it."""
        return {"kind": self.kind, "customer_id": self.customer_id, "quarantined": False, "first_seen": self.first_seen}


async def known_identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, Row]:
    """Those of the identifiers that are known: first_seen and customer_id."""
    rows = await connection.fetch(
        """
        select identifier_id::text, first_seen, customer_id::text
        from identifiers
        where corp_id = $1
          and identifier_id = any($2::uuid[])
        """,
        corp_id,
        ids,
    )
    return {row["identifier_id"]: row for row in rows}


async def add_identifiers(connection: Connection, corp_id: str, new: Iterable[NewIdentifier]) -> dict[str, int]:
    """Adds them. Returns those that were not there, each with a version for the statement of whose it is."""
    ordered = sorted(new, key=lambda one: one.identifier_id)
    rows = await connection.fetch(
        """
        with new as (
            select *
            from unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::uuid[], $8::boolean[])
                as t (identifier_id, kind, scope, sealed, first_seen, customer_id, is_alone)
        ),
        added as (
            insert into identifiers (corp_id, identifier_id, kind, scope, sealed, first_seen, customer_id)
            select $1, identifier_id, kind, scope, sealed, first_seen, customer_id
            from new
            on conflict do nothing
            returning identifier_id
        ),
        made as (
            insert into customers (corp_id, customer_id, created_at)
            select $1, customer_id, first_seen
            from added
            join new using (identifier_id)
            where is_alone
        )
        select identifier_id::text, nextval('assignment_versions') as version
        from added
        """,
        corp_id,
        [one.identifier_id for one in ordered],
        [one.kind for one in ordered],
        [one.scope for one in ordered],
        [one.sealed for one in ordered],
        [one.first_seen for one in ordered],
        [one.customer_id for one in ordered],
        [one.is_alone for one in ordered],
    )
    return {row["identifier_id"]: row["version"] for row in rows}


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


async def next_versions(connection: Connection, count: int) -> list[int]:
    """Rising numbers, taken under the identifiers' locks: per identifier a later statement has a higher one."""
    if count == 0:
        return []
    rows = await connection.fetch("select nextval('assignment_versions') as v from generate_series(1, $1)", count)
    return [row["v"] for row in rows]
