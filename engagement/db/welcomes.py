"""Welcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from chassis.pool import Connection, Row


async def insert(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> set[tuple[str, str]]:
    """Rows of (corp, welcome, contact, userid, channel, sealed code, arrived, deadline, status); returns new keys."""
    columns = list(zip(*sorted(rows, key=lambda r: r[:2]), strict=True))
    new = await connection.fetch(
        "insert into welcomes (corp_id, welcome_id, contact_id, userid, channel_id, sealed_code, arrived_at, deadline,"
        " status) select * from unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::bytea[],"
        " $7::timestamptz[], $8::timestamptz[], $9::text[]) on conflict do nothing returning corp_id, welcome_id",
        *columns,
    )
    return {(row["corp_id"], row["welcome_id"]) for row in new}


async def hasten(connection: Connection, kind: str, contacts: Sequence[tuple[str, str]]) -> None:
    """Welcomes that waited for these contacts' names are due now."""
    columns = list(zip(*sorted(contacts), strict=True))
    await connection.execute(
        "with waiting as (select d.corp_id, d.key from due_rows d join welcomes w"
        " on d.corp_id = w.corp_id and d.kind = $1 and d.key = w.welcome_id::text"
        " where (w.corp_id, w.contact_id) in (select * from unnest($2::text[], $3::uuid[])) and w.status = 'OPEN'"
        " and d.status = 'due' and d.due_at > now() order by d.corp_id, d.key for update of d)"
        " update due_rows d set due_at = now() from waiting"
        " where d.corp_id = waiting.corp_id and d.kind = $1 and d.key = waiting.key and d.status = 'due'",
        kind,
        *columns,
    )


async def open_of(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """(corp, welcome) → the welcome with both sealed names, if it is still open."""
    rows = await connection.fetch(
        "select w.*, c.sealed_name as customer_name, s.sealed_name as staff_name from welcomes w"
        " left join contacts c on (c.corp_id, c.contact_id) = (w.corp_id, w.contact_id)"
        " left join staff s on (s.corp_id, s.userid) = (w.corp_id, w.userid)"
        " where w.status = 'OPEN' and (w.corp_id, w.welcome_id) in (select * from unnest($1::text[], $2::uuid[]))",
        *zip(*keys, strict=True),
    )
    return {(row["corp_id"], row["welcome_id"]): row for row in rows}


async def settle(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, welcome, status, errcode, sent_at); a settled welcome stays as it is."""
    ordered = sorted(rows, key=lambda r: r[:2])
    if ordered:
        await connection.execute(
            "update welcomes w set status = t.s, errcode = t.e, sent_at = t.at"
            " from unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::timestamptz[]) as t(c, i, s, e, at)"
            " where (w.corp_id, w.welcome_id) = (t.c, t.i) and w.status = 'OPEN'",
            *zip(*ordered, strict=True),
        )


async def figures(connection: Connection, corp_id: str, as_of: datetime | None) -> Row:
    """Counts by status, and seconds from arrival to WeCom's confirmation over those sent."""
    row = await connection.fetchrow(
        "select count(*) filter (where status = 'SENT') as sent, count(*) filter (where status = 'LATE') as late,"
        " count(*) filter (where status = 'REFUSED') as refused, count(*) filter (where status = 'OPEN') as open,"
        " count(*) filter (where status = 'WITHOUT_RULE') as without_rule,"
        " percentile_cont(array[0.5, 0.99, 1.0]) within group"
        " (order by extract(epoch from sent_at - arrived_at)::float8) filter (where status = 'SENT') as latencies"
        " from welcomes where corp_id = $1 and ($2::timestamptz is null or arrived_at <= $2)",
        corp_id,
        as_of,
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row
