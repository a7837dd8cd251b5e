"""Identifiers, edges and customers. Every set is sorted by key; callers lock identifiers before they write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from chassis.pool import Connection, Row
from identity.domain.people import Edge


async def known_identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, Row]:
    rows = await connection.fetch(
        "select identifier_id, kind, customer_id, quarantined from identifiers"
        " where corp_id = $1 and identifier_id = any($2::uuid[])",
        corp_id,
        ids,
    )
    return {row["identifier_id"]: row for row in rows}


async def known_edges(connection: Connection, corp_id: str, edges: Iterable[Edge]) -> dict[tuple[str, str], datetime]:
    wanted = list(edges)
    rows = await connection.fetch(
        "select from_id, to_id, at from edges where corp_id = $1"
        " and (from_id, to_id) in (select * from unnest($2::uuid[], $3::uuid[]))",
        corp_id,
        [edge.a for edge in wanted],
        [edge.b for edge in wanted],
    )
    return {(row["from_id"], row["to_id"]): row["at"] for row in rows}


async def add_identifiers(
    connection: Connection, corp_id: str, names: Mapping[str, tuple[str, bytes]], customers: Mapping[str, str]
) -> list[str]:
    """Rows for identifiers (id → kind, sealed value), with a customer of their own where `customers` has one, and
    otherwise without, so that there is something to lock. Returns those that were not there, sorted."""
    ids = sorted(names)
    rows = await connection.fetch(
        "with added as (insert into identifiers (corp_id, identifier_id, kind, sealed, customer_id)"
        " select $1, * from unnest($2::uuid[], $3::text[], $4::bytea[], $5::uuid[]) on conflict do nothing"
        " returning corp_id, identifier_id, customer_id), made as (insert into customers (corp_id, customer_id)"
        " select corp_id, customer_id from added where customer_id is not null)"
        " select identifier_id from added order by identifier_id",
        corp_id,
        ids,
        [names[one][0] for one in ids],
        [names[one][1] for one in ids],
        [customers.get(one) for one in ids],
    )
    return [row["identifier_id"] for row in rows]


async def reachable(connection: Connection, corp_id: str, ids: Iterable[str]) -> list[str]:
    """The identifiers and all that edges connect them to, not passing through quarantined ones; sorted.

    Each step goes to the index by row, which the subquery and the lateral with its offset leave the planner no choice
    about: it cannot guess how far a walk goes, and a wrong guess reads all edges of the corp.
    """
    rows = await connection.fetch(
        "with recursive reach (id) as ("
        " select unnest($2::uuid[]) union"
        " select e.to_id from reach r"
        " cross join lateral (select to_id from edges where corp_id = $1 and from_id = r.id offset 0) e"
        " where (select not quarantined from identifiers where corp_id = $1 and identifier_id = r.id))"
        " select id from reach order by id",
        corp_id,
        sorted(ids),
    )
    return [row["id"] for row in rows]


async def lock_identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, Row]:
    rows = await connection.fetch(
        "select identifier_id, kind, customer_id, quarantined from identifiers"
        " where corp_id = $1 and identifier_id = any($2::uuid[]) order by identifier_id for update",
        corp_id,
        ids,
    )
    return {row["identifier_id"]: row for row in rows}


async def add_edges(connection: Connection, corp_id: str, edges: Iterable[Edge], source: str) -> None:
    both_ways = sorted(pair for edge in edges for pair in ((edge.a, edge.b, edge.at), (edge.b, edge.a, edge.at)))
    await connection.execute(
        "insert into edges as e (corp_id, from_id, to_id, at, source)"
        " select $1, a, b, at, $5 from unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) as t(a, b, at)"
        " on conflict (corp_id, from_id, to_id) do update set at = excluded.at where excluded.at < e.at",
        corp_id,
        [a for a, _, _ in both_ways],
        [b for _, b, _ in both_ways],
        [at for _, _, at in both_ways],
        source,
    )


async def links_of(connection: Connection, corp_id: str, ids: Sequence[str]) -> list[tuple[str, str, datetime]]:
    """(from, to, at) of every edge that begins at one of the identifiers, wherever it leads; each edge lies both
    ways."""
    rows = await connection.fetch(
        "select from_id, to_id, at from edges where corp_id = $1 and from_id = any($2::uuid[])", corp_id, ids
    )
    return [(row["from_id"], row["to_id"], row["at"]) for row in rows]


async def assign(connection: Connection, corp_id: str, owners: Mapping[str, str | None]) -> None:
    """Identifier → customer; None quarantines."""
    ids = sorted(owners)
    await connection.execute(
        "update identifiers i set customer_id = t.customer, quarantined = t.customer is null"
        " from unnest($2::uuid[], $3::uuid[]) as t(id, customer) where i.corp_id = $1 and i.identifier_id = t.id",
        corp_id,
        ids,
        [owners[one] for one in ids],
    )


async def add_customers(connection: Connection, corp_id: str, ids: Iterable[str]) -> None:
    await connection.execute(
        "insert into customers (corp_id, customer_id) select $1, unnest($2::uuid[])", corp_id, sorted(ids)
    )


async def merge_customers(connection: Connection, corp_id: str, into: Mapping[str, str]) -> None:
    """Loser → winner; what had been merged into a loser follows, so that a chain is always one step."""
    losers = sorted(into)
    await connection.execute(
        "update customers c set merged_into = t.winner from unnest($2::uuid[], $3::uuid[]) as t(loser, winner)"
        " where c.corp_id = $1 and (c.customer_id = t.loser or c.merged_into = t.loser)",
        corp_id,
        losers,
        [into[one] for one in losers],
    )


async def dissolve_customers(connection: Connection, corp_id: str, ids: Iterable[str]) -> None:
    """Customers who have no identifier any more, and those who had been merged into them."""
    await connection.execute(
        "delete from customers where corp_id = $1 and (customer_id = any($2::uuid[]) or merged_into = any($2::uuid[]))",
        corp_id,
        sorted(ids),
    )


async def replace_conflicts(connection: Connection, corp_id: str, ids: Sequence[str], refused: Iterable[Edge]) -> None:
    await connection.execute(
        "delete from conflicts where corp_id = $1 and from_id = any($2::uuid[]) and to_id = any($2::uuid[])",
        corp_id,
        ids,
    )
    ordered = sorted(refused)
    if ordered:
        await connection.execute(
            "insert into conflicts (corp_id, from_id, to_id, reason)"
            " select $1, a, b, 'TOO_MANY_OF_A_KIND' from unnest($2::uuid[], $3::uuid[]) as t(a, b)",
            corp_id,
            [edge.a for edge in ordered],
            [edge.b for edge in ordered],
        )


async def next_versions(connection: Connection, count: int) -> list[int]:
    """Rising numbers, taken under the identifiers' locks: per identifier a later statement has a higher one."""
    if count == 0:
        return []
    rows = await connection.fetch("select nextval('assignment_versions') as v from generate_series(1, $1)", count)
    return [row["v"] for row in rows]
