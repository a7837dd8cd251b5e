"""Customers as frontends read them. `own` confines to the scope of a member (chassis.kernel.scope)."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection, Row
from chassis.projection import Projection

FOLLOWED = (
    "exists (select 1 from relations r join identifiers i on i.corp_id = r.corp_id and i.identifier_id = r.contact_id"
    " where r.corp_id = c.corp_id and r.alive and i.customer_id = c.customer_id and r.userid in "
    + visible_staff("staff", "$1", "$3")
    + ")"
)

# What orders are worth, as commerce last said.
ORDER_VALUES = Projection(
    "order_values",
    {"corp_id": "text", "mall_id": "text", "order_id": "text"},
    {"buyer_id": "uuid", "paid_fen": "bigint", "refunded_fen": "bigint"},
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


# A customer `c` with what belongs to it. created_at; orders paid and their net worth; identifiers: (kind, id, sealed
# value, sealed name or null); relations: (userid, added_at, ended_at or null).
WHOLE = (
    "select c.customer_id, c.created_at, v.orders, v.net, i.identifiers, r.relations from customers c"
    " cross join lateral (select count(*) filter (where o.paid_fen is not null) as orders,"
    "  coalesce(sum(o.paid_fen - o.refunded_fen), 0)::bigint as net from identifiers b"
    "  join order_values o on (o.corp_id, o.buyer_id) = (b.corp_id, b.identifier_id)"
    "  where b.corp_id = c.corp_id and b.customer_id = c.customer_id) v"
    " cross join lateral (select array_agg((b.kind, b.identifier_id, b.sealed, n.sealed_name)"
    "  order by b.kind, b.identifier_id) as identifiers from identifiers b"
    "  left join contacts n on (n.corp_id, n.contact_id) = (b.corp_id, b.identifier_id)"
    "  where b.corp_id = c.corp_id and b.customer_id = c.customer_id) i"
    " cross join lateral (select array_agg((f.userid, f.added_at, f.ended_at) order by f.added_at, f.userid)"
    "  as relations from identifiers b join relations f on (f.corp_id, f.contact_id) = (b.corp_id, b.identifier_id)"
    "  where b.corp_id = c.corp_id and b.customer_id = c.customer_id and f.added_at is not null) r"
    " where c.corp_id = $1 and c.merged_into is null and "
)


async def get(connection: Connection, corp_id: str, customer_id: str, own: str | None) -> Row | None:
    """The customer that lives under this id now, whole, if the caller may see it."""
    row: Row | None = await connection.fetchrow(
        f"{WHOLE} ($3::text is null or {FOLLOWED}) and c.customer_id ="
        " coalesce((select merged_into from customers where corp_id = $1 and customer_id = $2), $2)",
        corp_id,
        customer_id,
        own,
    )
    return row


async def whole(connection: Connection, corp_id: str, ids: Sequence[str]) -> dict[str, Row]:
    """Customers by id, in one statement however many there are."""
    rows = await connection.fetch(f"{WHOLE} c.customer_id = any($2::uuid[])", corp_id, ids)
    return {row["customer_id"]: row for row in rows}


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
