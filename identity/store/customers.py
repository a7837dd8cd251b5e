"""Customers as frontends read them. `own` confines to the scope of a member (chassis.scope)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.pool import Connection, Row
from chassis.scope import visible_staff

FOLLOWED = (
    "exists (select 1 from relations r join identifiers i on i.corp_id = r.corp_id and i.identifier_id = r.contact_id"
    " where r.corp_id = c.corp_id and r.alive and i.customer_id = c.customer_id and r.userid in "
    + visible_staff("staff", "$1", "$3")
    + ")"
)


async def page(connection: Connection, corp_id: str, own: str | None, before: str | None, limit: int) -> list[str]:
    """Customer ids, newest first."""
    rows = await connection.fetch(
        "select c.customer_id from customers c where c.corp_id = $1 and c.merged_into is null"
        f" and ($2::uuid is null or c.customer_id < $2) and ($3::text is null or {FOLLOWED})"
        " order by c.customer_id desc limit $4",
        corp_id,
        before,
        own,
        limit,
    )
    return [row["customer_id"] for row in rows]


async def living_id(connection: Connection, corp_id: str, customer_id: str, own: str | None) -> str | None:
    """The id under which this customer lives now, if the caller may see it."""
    found: str | None = await connection.fetchval(
        "select c.customer_id from customers c where c.corp_id = $1 and c.merged_into is null"
        " and c.customer_id = coalesce((select merged_into from customers where corp_id = $1 and customer_id = $2), $2)"
        f" and ($3::text is null or {FOLLOWED})",
        corp_id,
        customer_id,
        own,
    )
    return found


async def heads(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, Row]:
    """created_at, paid orders and their net worth."""
    rows = await connection.fetch(
        "select c.customer_id, c.created_at, count(v.order_id) filter (where v.paid_fen is not null) as orders,"
        " coalesce(sum(v.paid_fen - v.refunded_fen), 0)::bigint as net from customers c"
        " left join identifiers i on i.corp_id = c.corp_id and i.customer_id = c.customer_id"
        " left join order_values v on v.corp_id = i.corp_id and v.buyer_id = i.identifier_id"
        " where c.corp_id = $1 and c.customer_id = any($2::uuid[]) group by 1, 2",
        corp_id,
        ids,
    )
    return {row["customer_id"]: row for row in rows}


async def identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        "select i.customer_id, i.identifier_id, i.kind, i.sealed, n.sealed_name from identifiers i"
        " left join contacts n on n.corp_id = i.corp_id and n.contact_id = i.identifier_id"
        " where i.corp_id = $1 and i.customer_id = any($2::uuid[]) order by i.customer_id, i.kind, i.identifier_id",
        corp_id,
        ids,
    )
    return rows


async def relations(connection: Connection, corp_id: str, ids: Sequence[str]) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        "select i.customer_id, r.userid, r.added_at, r.ended_at from identifiers i"
        " join relations r on r.corp_id = i.corp_id and r.contact_id = i.identifier_id"
        " where i.corp_id = $1 and i.customer_id = any($2::uuid[]) and r.added_at is not null"
        " order by i.customer_id, r.added_at, r.userid",
        corp_id,
        ids,
    )
    return rows


async def save_order_values(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of (corp, mall, order, buyer, paid, refunded, version); the highest version wins."""
    columns = list(zip(*sorted(rows, key=lambda r: r[:3]), strict=True))
    await connection.execute(
        "insert into order_values as o (corp_id, mall_id, order_id, buyer_id, paid_fen, refunded_fen, version)"
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::bigint[],"
        " $7::bigint[])"
        " on conflict (corp_id, mall_id, order_id) do update set buyer_id = excluded.buyer_id,"
        " paid_fen = excluded.paid_fen, refunded_fen = excluded.refunded_fen, version = excluded.version"
        " where o.version < excluded.version",
        *columns,
    )


async def figures(connection: Connection, corp_id: str, accounts: Sequence[str]) -> Row:
    row = await connection.fetchrow(
        "select count(*) as identifiers, count(distinct customer_id) as people,"
        " count(*) filter (where kind = any($2) and customer_id is not null)"
        " - count(distinct customer_id) filter (where kind = any($2)) as merges,"
        " (select count(*) from conflicts where corp_id = $1) as conflicts,"
        " (select count(*) from relations where corp_id = $1 and alive) as living"
        " from identifiers where corp_id = $1",
        corp_id,
        list(accounts),
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row


async def count_unknown(connection: Connection, corp_id: str, event: str, change_type: str, seen: int) -> None:
    await connection.execute(
        "insert into unknown_events as u (corp_id, event, change_type, seen) values ($1, $2, $3, $4)"
        " on conflict (corp_id, event, change_type) do update set seen = u.seen + excluded.seen",
        corp_id,
        event,
        change_type,
        seen,
    )
