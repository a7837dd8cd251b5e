"""What WeCom says about contacts."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection
from chassis.projection import Projection

Contact = tuple[str, str]  # corp, contact id

# The newest reading of a contact wins.
CONTACTS = Projection(
    "contacts",
    {"corp_id": "text", "contact_id": "uuid"},
    # The prefixes are of the name of `prefixed_version`: the release before writes names alone.
    {"sealed_name": "bytea", "name_prefix_ids": "uuid[]", "prefixed_version": "bigint"},
)


async def sealed_ids(connection: Connection, contacts: Sequence[Contact]) -> dict[Contact, bytes]:
    rows = await connection.fetch(
        """
        select corp_id, identifier_id, sealed
        from identifiers
        where (corp_id, identifier_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        *zip(*contacts, strict=True),
    )
    return {(row["corp_id"], row["identifier_id"]): row["sealed"] for row in rows}
