"""What was decided about who is one person. Callers hold the identifiers; every set is sorted by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection
from identity.domain.customers import Pair


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an identifier's row becomes; a quarantined one has no customer."""

    customer_id: str | None
    quarantined: bool
    first_seen: datetime


async def save(
    connection: Connection,
    corp_id: str,
    assigned: Mapping[str, Assigned],
    created: Mapping[str, datetime],
    *,
    versions: int,
) -> list[int]:
    """Identifier → its row from now on, customer → when the first of its identifiers was first seen. Returns so many
    rising numbers, taken under the identifiers' locks: per identifier a later statement has a higher one."""
    ids, customers = sorted(assigned), sorted(created)
    rows = await connection.fetch(
        """
        with moved as (
            update identifiers i
            set customer_id = t.customer_id,
                quarantined = t.quarantined,
                first_seen = t.first_seen
            from unnest($2::uuid[], $3::uuid[], $4::boolean[], $5::timestamptz[])
                as t (identifier_id, customer_id, quarantined, first_seen)
            where i.corp_id = $1
              and i.identifier_id = t.identifier_id
        ),
        made as (
            insert into customers (corp_id, customer_id, created_at)
            select $1, *
            from unnest($6::uuid[], $7::timestamptz[])
            on conflict (corp_id, customer_id) do update
            set created_at = excluded.created_at
        )
        select nextval('assignment_versions') as version
        from generate_series(1, $8)
        """,
        corp_id,
        ids,
        [assigned[one].customer_id for one in ids],
        [assigned[one].quarantined for one in ids],
        [assigned[one].first_seen for one in ids],
        customers,
        [created[one] for one in customers],
        versions,
    )
    return [row["version"] for row in rows]


async def refuse(connection: Connection, corp_id: str, refused: Mapping[Pair, str], admitted: Iterable[Pair]) -> None:
    """Edges that are refused, each with its reason; and those that are no more."""
    here, gone = sorted(refused), sorted(admitted)
    await connection.execute(
        """
        with gone as (
            delete from conflicts
            where corp_id = $1
              and (from_id, to_id) in (select * from unnest($2::uuid[], $3::uuid[]))
        )
        insert into conflicts (corp_id, from_id, to_id, reason)
        select $1, *
        from unnest($4::uuid[], $5::uuid[], $6::text[])
        on conflict (corp_id, from_id, to_id) do update
        set reason = excluded.reason
        """,
        corp_id,
        [a for a, _ in gone],
        [b for _, b in gone],
        [a for a, _ in here],
        [b for _, b in here],
        [refused[pair] for pair in here],
    )
