"""What other services said of relations and touches, as it is kept here. The highest version wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A follow relation's whole history: spans of (added at, ended at or None)."""

    corp_id: str
    contact_id: str
    userid: str
    version: int
    spans: Sequence[tuple[datetime, datetime | None]]


@dataclass(frozen=True, slots=True, order=True)
class Touch:
    corp_id: str
    touch_id: str
    version: int
    contact_id: str
    channel_id: str
    confirmation: bool
    added_at: datetime


async def save_relations(connection: Connection, relations: Iterable[Relation]) -> None:
    """One relation a key; the spans of a newer one replace the old ones."""
    ordered = sorted(relations)
    newer = await connection.fetch(
        """
        insert into relations as r (corp_id, contact_id, userid, version)
        select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[])
        on conflict (corp_id, contact_id, userid) do update set version = excluded.version
        where r.version < excluded.version
        returning corp_id, contact_id, userid
        """,
        [r.corp_id for r in ordered],
        [r.contact_id for r in ordered],
        [r.userid for r in ordered],
        [r.version for r in ordered],
    )
    keys = sorted((row["corp_id"], row["contact_id"], row["userid"]) for row in newer)
    if not keys:
        return
    await connection.execute(
        """
        delete from relation_spans
        where (corp_id, contact_id, userid) in (select * from unnest($1::text[], $2::uuid[], $3::text[]))
        """,
        *zip(*keys, strict=True),
    )
    known = {(r.corp_id, r.contact_id, r.userid): r for r in ordered}
    spans = [(known[key], span) for key in keys for span in known[key].spans]
    await connection.execute(
        """
        insert into relation_spans (corp_id, contact_id, userid, added_at, ended_at)
        select * from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
        """,
        [r.corp_id for r, _ in spans],
        [r.contact_id for r, _ in spans],
        [r.userid for r, _ in spans],
        [added_at for _, (added_at, _) in spans],
        [ended_at for _, (_, ended_at) in spans],
    )


async def save_touches(connection: Connection, touches: Iterable[Touch]) -> None:
    """One touch a key."""
    ordered = sorted(touches)
    await connection.execute(
        """
        insert into touches as t (corp_id, touch_id, contact_id, channel_id, confirmation, added_at, version)
        select * from unnest(
            $1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::bool[], $6::timestamptz[], $7::bigint[]
        )
        on conflict (corp_id, touch_id) do update set
            channel_id = excluded.channel_id,
            confirmation = excluded.confirmation,
            added_at = excluded.added_at,
            version = excluded.version
        where t.version < excluded.version
        """,
        [t.corp_id for t in ordered],
        [t.touch_id for t in ordered],
        [t.contact_id for t in ordered],
        [t.channel_id for t in ordered],
        [t.confirmation for t in ordered],
        [t.added_at for t in ordered],
        [t.version for t in ordered],
    )
