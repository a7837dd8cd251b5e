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
