"""What other services said of relations and touches, as it is kept here. The highest version wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from chassis.pool import Connection
from chassis.projection import Projection

RELATIONS = Projection("relations", {"corp_id": "text", "contact_id": "uuid", "userid": "text"}, {})
TOUCHES = Projection(
    "touches",
    {"corp_id": "text", "touch_id": "text"},
    {"contact_id": "uuid", "channel_id": "uuid", "confirmation": "boolean", "added_at": "timestamptz"},
)


class Relation(NamedTuple):
    """A follow relation's whole history: spans of (added at, ended at or None)."""

    corp_id: str
    contact_id: str
    userid: str
    version: int
    spans: tuple[tuple[datetime, datetime | None], ...]


class Touch(NamedTuple):
    corp_id: str
    touch_id: str
    version: int
    contact_id: str
    channel_id: str
    confirmation: bool
    added_at: datetime


async def save_relations(connection: Connection, relations: Iterable[Relation]) -> list[tuple[str, str]]:
    """The spans of a newer relation replace the old ones. Returns (corp, contact) of those."""
    newest = {(r.corp_id, r.contact_id, r.userid): r for r in sorted(relations, key=lambda r: r.version)}
    keys = await RELATIONS.save(connection, (one._asdict() for one in newest.values()))
    if not keys:
        return []
    await connection.execute(
        """
        delete from relation_spans
        where (corp_id, contact_id, userid) in (select * from unnest($1::text[], $2::uuid[], $3::text[]))
        """,
        *zip(*keys, strict=True),
    )
    spans = [(key, span) for key in keys for span in newest[key].spans]
    await connection.execute(
        """
        insert into relation_spans (corp_id, contact_id, userid, added_at, ended_at)
        select * from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
        """,
        [corp_id for (corp_id, _, _), _ in spans],
        [contact_id for (_, contact_id, _), _ in spans],
        [userid for (_, _, userid), _ in spans],
        [added_at for _, (added_at, _) in spans],
        [ended_at for _, (_, ended_at) in spans],
    )
    return [(corp_id, contact_id) for corp_id, contact_id, _ in keys]


async def save_touches(connection: Connection, touches: Sequence[Touch]) -> list[tuple[str, str]]:
    """Returns (corp, contact) of those about which there is news."""
    contacts = {(t.corp_id, t.touch_id): t.contact_id for t in touches}
    return [(key[0], contacts[key]) for key in await TOUCHES.save(connection, (one._asdict() for one in touches))]


async def left_behind(connection: Connection, assigned: Sequence[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """(corp, identifier) of the customers that some of these, (corp, identifier, customer), leave: what they bought may
    have been earned through an identifier that goes. Holds the identifiers' rows, so that of two who move one at once
    the later sees what the earlier did."""
    if not assigned:
        return []
    rows = await connection.fetch(
        """
        with assigned as (
            select distinct corp_id, identifier_id, customer_id
            from unnest($1::text[], $2::uuid[], $3::text[]) as t (corp_id, identifier_id, customer_id)
        ),
        held as materialized (
            select i.corp_id, i.identifier_id, i.customer_id
            from customer_identifiers i
            where (i.corp_id, i.identifier_id) in (select corp_id, identifier_id from assigned)
            order by i.corp_id, i.identifier_id
            for update
        ),
        left_ones as (
            select distinct h.corp_id, h.customer_id
            from held h
            join assigned a on (a.corp_id, a.identifier_id) = (h.corp_id, h.identifier_id)
            where a.customer_id <> h.customer_id::text
        )
        select i.corp_id, i.identifier_id
        from left_ones l
        join customer_identifiers i on (i.corp_id, i.customer_id) = (l.corp_id, l.customer_id)
        """,
        *zip(*sorted(set(assigned)), strict=True),
    )
    return [(row["corp_id"], row["identifier_id"]) for row in rows]
