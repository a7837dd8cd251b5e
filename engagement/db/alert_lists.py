"""Lists of alerts, newest first: every plan walks an index from where the page begins, never the whole corp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.kernel.totals import LIMIT
from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is asked for. `since` is in, `until` is out; None means any."""

    kinds: Sequence[str]
    # The recipients; None: everybody.
    userids: Sequence[str] | None
    since: datetime | None
    until: datetime | None
    # Of the table.
    statuses: Sequence[str] | None = None
    contact_id: str | None = None


# Each is walked for a page of its own: each kind, of some members' alerts each kind of each recipient, each status.
CORP = """
    (select kind from unnest($2::text[]) as k (kind)) g
    cross join lateral (
        select *
        from alerts a
        where a.corp_id = $1 and a.kind = g.kind
"""
STAFF = """
    (select userid, kind from unnest($3::text[]) as u (userid) cross join unnest($2::text[]) as k (kind)) g
    cross join lateral (
        select *
        from alerts a
        where a.corp_id = $1 and a.userid = g.userid and a.kind = g.kind
"""
CORP_STATUS = """
    (select kind, status from unnest($2::text[]) as k (kind) cross join unnest($4::text[]) as s (status)) g
    cross join lateral (
        select *
        from alerts a
        where a.corp_id = $1 and a.status = g.status and a.kind = g.kind
"""
STAFF_STATUS = """
    (
        select userid, kind, status
        from unnest($3::text[]) as u (userid)
        cross join unnest($2::text[]) as k (kind)
        cross join unnest($4::text[]) as s (status)
    ) g
    cross join lateral (
        select *
        from alerts a
        where a.corp_id = $1 and a.userid = g.userid and a.status = g.status and a.kind = g.kind
"""
# One contact's are few, whoever was told and what became of it.
CONTACT = """
    (select) g
    cross join lateral (
        select *
        from alerts a
        where a.corp_id = $1
          and a.contact_id = $5::uuid
          and a.kind = any($2::text[])
          and ($3::text[] is null or a.userid = any($3))
          and ($4::text[] is null or a.status = any($4))
"""
# Behind each of the above. The first line says the types of the parameters that it may leave out.
REST = """
          and num_nulls($3::text[], $4::text[], $5::uuid) is not null
          and a.at >= coalesce($6::timestamptz, '-infinity')
          and a.at < coalesce($7::timestamptz, 'infinity')
          and (a.at, a.alert_id) < (coalesce($8::timestamptz, 'infinity'), $9::text)
        order by a.at desc, a.alert_id desc
        limit $10
    ) page
"""
PAGE = """
    with newest as (
        select page.*
        from {}
        order by page.at desc, page.alert_id desc
        limit $10
    )
    select newest.*, c.sealed_name, m.errcode
    from newest
    left join app_messages m on (m.corp_id, m.message_id) = (newest.corp_id, newest.message_id)
    left join contacts c on (c.corp_id, c.contact_id) = (newest.corp_id, newest.contact_id)
    order by newest.at desc, newest.alert_id desc
"""
COUNT = """
    select count(*)
    from (
        select
        from {}
        limit $10
    ) bounded
"""


async def newest(
    connection: Connection, corp_id: str, wanted: Wanted, before_at: datetime | None, before_id: str, limit: int
) -> Sequence[Row]:
    """Alerts, newest first, each with its customer's sealed name. `before`: the last alert of the page before."""
    query = PAGE.format(walk(wanted))
    rows: Sequence[Row] = await connection.fetch(query, *arguments(corp_id, wanted, before_at, before_id, limit))
    return rows


async def count(connection: Connection, corp_id: str, wanted: Wanted) -> int:
    """How many there are, counted to totals.LIMIT."""
    query = COUNT.format(walk(wanted))
    counted: int = await connection.fetchval(query, *arguments(corp_id, wanted, None, "", LIMIT))
    return counted


def walk(wanted: Wanted) -> str:
    """SQL: what is read where it is asked for this."""
    if wanted.contact_id is not None:
        return CONTACT + REST
    if wanted.statuses is not None:
        return (CORP_STATUS if wanted.userids is None else STAFF_STATUS) + REST
    return (CORP if wanted.userids is None else STAFF) + REST


def arguments(corp_id: str, wanted: Wanted, before_at: datetime | None, before_id: str, limit: int) -> tuple[Any, ...]:
    userids = None if wanted.userids is None else sorted(wanted.userids)
    statuses = None if wanted.statuses is None else list(wanted.statuses)
    whose = (corp_id, list(wanted.kinds), userids, statuses, wanted.contact_id)
    return (*whose, wanted.since, wanted.until, before_at, before_id, limit)
