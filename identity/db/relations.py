"""Follow events and the relations they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from chassis.pool import Connection, Row

Pair = tuple[str, str, str]  # corp, contact, userid


async def add_events(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, fact, contact, userid, kind, by_transfer, at)."""
    ordered = sorted(rows, key=lambda r: (r[0], r[1]))
    columns = list(zip(*ordered, strict=True))
    await connection.execute(
        "insert into follow_events (corp_id, fact_id, contact_id, userid, kind, by_transfer, at)"
        " select * from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bool[],"
        " $7::timestamptz[]) on conflict do nothing",
        *columns,
    )


async def lock_pairs(connection: Connection, pairs: Sequence[Pair]) -> dict[Pair, Row]:
    """Makes the rows that are missing, and locks all in key order."""
    columns = list(zip(*sorted(pairs), strict=True))
    await connection.execute(
        "insert into relations (corp_id, contact_id, userid)"
        " select * from unnest($1::text[], $2::uuid[], $3::text[]) on conflict do nothing",
        *columns,
    )
    rows = await connection.fetch(
        "select * from relations where (corp_id, contact_id, userid) in"
        " (select * from unnest($1::text[], $2::uuid[], $3::text[])) order by corp_id, contact_id, userid for update",
        *columns,
    )
    return {(r["corp_id"], r["contact_id"], r["userid"]): r for r in rows}


async def events_of(connection: Connection, pairs: Sequence[Pair]) -> Sequence[Row]:
    columns = list(zip(*sorted(pairs), strict=True))
    rows: Sequence[Row] = await connection.fetch(
        "select corp_id, contact_id, userid, kind, at, fact_id from follow_events"
        " where (corp_id, contact_id, userid) in (select * from unnest($1::text[], $2::uuid[], $3::text[]))",
        *columns,
    )
    return rows


async def first_added(connection: Connection, contacts: Sequence[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """(corp, contact) → when somebody first added them. Adds alone: only they ask for another reading."""
    if not contacts:
        return {}
    rows = await connection.fetch(
        """
        select corp_id, contact_id, min(at) as at
        from follow_events
        where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))
          and kind = 'added'
        group by corp_id, contact_id
        """,
        *zip(*sorted(contacts), strict=True),
    )
    return {(row["corp_id"], row["contact_id"]): row["at"] for row in rows}


async def in_wecoms_list(connection: Connection, corp_id: str, userids: Sequence[str]) -> dict[str, set[str]]:
    """userid → contacts that WeCom's list of this member should have: all added ones, but those the member deleted.

    A customer who deleted the member stays in the list.
    """
    rows = await connection.fetch(
        "select userid, contact_id from (select distinct on (userid, contact_id) userid, contact_id, kind"
        " from follow_events where corp_id = $1 and userid = any($2)"
        " order by userid, contact_id, at desc, kind = 'added', fact_id desc) newest where kind <> 'deleted_by_staff'",
        corp_id,
        userids,
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["userid"], set()).add(row["contact_id"])
    return found


async def update(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, contact, userid, alive, added_at, ended_at, version)."""
    columns = list(zip(*sorted(rows, key=lambda r: r[:3]), strict=True))
    await connection.execute(
        "update relations r set alive = t.alive, added_at = t.added_at, ended_at = t.ended_at, version = t.version"
        " from unnest($1::text[], $2::uuid[], $3::text[], $4::bool[], $5::timestamptz[], $6::timestamptz[],"
        " $7::bigint[]) as t(corp_id, contact_id, userid, alive, added_at, ended_at, version)"
        " where (r.corp_id, r.contact_id, r.userid) = (t.corp_id, t.contact_id, t.userid)",
        *columns,
    )
