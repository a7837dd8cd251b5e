"""Orders and refunds. Status and money are derived in one place: the `facts_as_of` fragment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection, Row

Key = tuple[str, str, str]  # corp, mall, order

FACETS: dict[str, str] = {
    "detail_rank": "text",
    "buyer_id": "uuid",
    "currency": "text",
    "total_fen": "bigint",
    "created_at": "timestamptz",
    "paid_rank": "text",
    "paid_fen": "bigint",
    "paid_at": "timestamptz",
    "paid_arrived_at": "timestamptz",
    "shipped_rank": "text",
    "shipped_at": "timestamptz",
    "completed_rank": "text",
    "completed_at": "timestamptz",
    "closed_rank": "text",
    "closed_at": "timestamptz",
    "close_reason": "text",
}

# Orders as they were at $2 (null: now): what was paid, refunded, and their status. An order of which only later
# messages have come yet has no created_at and is not there.
AS_OF = """
    select o.*, coalesce(r.fen, 0)::bigint as refunded_fen, p.fen as paid_then,
        case when p.fen is null and o.closed_at <= coalesce($2, 'infinity'::timestamptz) then 'CLOSED'
             when p.fen > 0 and r.fen >= p.fen then 'REFUNDED'
             when r.fen > 0 then 'PARTLY_REFUNDED'
             when o.completed_at <= coalesce($2, 'infinity'::timestamptz) then 'COMPLETED'
             when o.shipped_at <= coalesce($2, 'infinity'::timestamptz) then 'SHIPPED'
             when p.fen is not null then 'PAID'
             else 'CREATED' end as status
    from orders o
    left join lateral (select sum(amount_fen) as fen from refunds f
        where (f.corp_id, f.mall_id, f.order_id) = (o.corp_id, o.mall_id, o.order_id) and f.status = 'ACCEPTED'
        and f.at <= coalesce($2, 'infinity'::timestamptz)) r on true
    left join lateral (select o.paid_fen as fen where o.paid_at <= coalesce($2, 'infinity'::timestamptz)) p on true
    where o.corp_id = $1 and o.created_at <= coalesce($2, 'infinity'::timestamptz)
"""

# The buyer is a customer whom this member, or somebody in a department they manage, follows now.
OWN = (
    "exists (select 1 from relation_spans s join customer_identifiers c"
    " on c.corp_id = s.corp_id and c.identifier_id = s.contact_id"
    " where s.corp_id = $1 and s.ended_at is null and c.customer_id = i.customer_id and s.userid in "
    + visible_staff("staff_places", "$1", "$7")
    + ")"
)


async def lock(connection: Connection, keys: Sequence[Key]) -> dict[Key, Row]:
    """Makes the rows that are missing, and locks all in key order."""
    columns = list(zip(*sorted(keys), strict=True))
    await connection.execute(
        "insert into orders (corp_id, mall_id, order_id) select * from unnest($1::text[], $2::text[], $3::text[])"
        " on conflict do nothing",
        *columns,
    )
    rows = await connection.fetch(
        "select * from orders where (corp_id, mall_id, order_id) in"
        " (select * from unnest($1::text[], $2::text[], $3::text[])) order by corp_id, mall_id, order_id for update",
        *columns,
    )
    return {(row["corp_id"], row["mall_id"], row["order_id"]): row for row in rows}


async def update(connection: Connection, rows: Mapping[Key, Row]) -> None:
    """Writes whole rows."""
    keys = sorted(rows)
    names = ", ".join(f"{name} = t.{name}" for name in FACETS)
    arrays = ", ".join(f"${position}::{kind}[]" for position, kind in enumerate(FACETS.values(), start=4))
    await connection.execute(
        f"update orders o set {names} from unnest($1::text[], $2::text[], $3::text[], {arrays})"
        f" as t(corp_id, mall_id, order_id, {', '.join(FACETS)})"
        " where (o.corp_id, o.mall_id, o.order_id) = (t.corp_id, t.mall_id, t.order_id)",
        *zip(*keys, strict=True),
        *([rows[key][name] for key in keys] for name in FACETS),
    )


async def replace_lines(connection: Connection, had: Sequence[Key], rows: Iterable[tuple[Any, ...]]) -> None:
    """Instead of the lines that the orders `had`: rows of (corp, mall, order, line, product, title, quantity, fen)."""
    if had:
        await connection.execute(
            "delete from order_lines where (corp_id, mall_id, order_id) in"
            " (select * from unnest($1::text[], $2::text[], $3::text[]))",
            *zip(*sorted(had), strict=True),
        )
    ordered = sorted({row[:4]: row for row in rows}.values())
    if ordered:
        await connection.execute(
            "insert into order_lines (corp_id, mall_id, order_id, line_id, product_id, title, quantity, paid_fen)"
            " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[],"
            " $8::bigint[])",
            *zip(*ordered, strict=True),
        )


async def add_refunds(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, mall, refund, order, fen, at, fact, subject, headers, payload); a refund id is one refund."""
    ordered = sorted(rows, key=lambda r: (*r[:3], r[6]))
    if ordered:
        await connection.execute(
            "insert into refunds as r (corp_id, mall_id, refund_id, order_id, amount_fen, at, fact_id, subject,"
            " headers, payload)"
            " select distinct on (c, m, r) * from unnest($1::text[], $2::text[], $3::text[], $4::text[],"
            " $5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $9::jsonb[], $10::bytea[])"
            " as t(c, m, r, o, a, at, f, s, h, p) order by c, m, r, at, f"
            # Two messages about one refund (Youzan has two families): the earlier one speaks, whichever came first.
            " on conflict (corp_id, mall_id, refund_id) do update set order_id = excluded.order_id,"
            " amount_fen = excluded.amount_fen, at = excluded.at, fact_id = excluded.fact_id,"
            " subject = excluded.subject, headers = excluded.headers, payload = excluded.payload"
            " where (excluded.at, excluded.fact_id) < (r.at, r.fact_id)",
            *zip(*ordered, strict=True),
        )


async def refunds_of(connection: Connection, keys: Sequence[Key]) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        "select * from refunds where (corp_id, mall_id, order_id) in"
        " (select * from unnest($1::text[], $2::text[], $3::text[]))",
        *zip(*sorted(keys), strict=True),
    )
    return rows


async def set_refund_status(connection: Connection, rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Rows of (corp, mall, refund, status)."""
    await connection.execute(
        "update refunds r set status = t.s from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as t(c, m, i, s)"
        " where (r.corp_id, r.mall_id, r.refund_id) = (t.c, t.m, t.i)",
        *zip(*sorted(rows), strict=True),
    )


async def add_buyers(connection: Connection, rows: Iterable[tuple[str, str, str, str, bytes]]) -> Sequence[Row]:
    """Rows of (corp, buyer, mall, kind, sealed); returns those of them that nobody has identified yet, or of whom an
    order has come that is earlier than what was told."""
    ordered = sorted({row[:2]: row for row in rows}.values())
    if not ordered:
        return []
    unknown: Sequence[Row] = await connection.fetch(
        "with named as (select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bytea[])"
        " as t(corp_id, buyer_id, mall_id, kind, sealed)),"
        " added as (insert into buyers (corp_id, buyer_id, mall_id, kind, sealed) select * from named"
        " on conflict do nothing returning corp_id, buyer_id)"
        " select corp_id, buyer_id from added union"
        " select b.corp_id, b.buyer_id from named join buyers b using (corp_id, buyer_id)"
        " where b.identified_at is null or b.first_ordered_at >"
        " (select min(o.created_at) from orders o where (o.corp_id, o.buyer_id) = (b.corp_id, b.buyer_id))",
        *zip(*ordered, strict=True),
    )
    return unknown


async def page(
    connection: Connection,
    corp_id: str,
    own: str | None,
    customer_id: str | None,
    before: tuple[datetime, str, str] | None,
    limit: int,
) -> Sequence[Row]:
    """Orders newest first, those in the scope of the member `own` only, when given."""
    rows: Sequence[Row] = await connection.fetch(
        f"with known as ({AS_OF}) select k.*, i.customer_id, a.userid, a.channel_id from known k"
        " left join customer_identifiers i on i.corp_id = k.corp_id and i.identifier_id = k.buyer_id"
        " left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (k.corp_id, k.mall_id, k.order_id)"
        " where ($3::uuid is null or i.customer_id = $3)"
        " and ($4::timestamptz is null or (k.created_at, k.mall_id, k.order_id) < ($4, $5, $6))"
        f" and ($7::text is null or {OWN}) order by k.created_at desc, k.mall_id desc, k.order_id desc limit $8",
        corp_id,
        None,
        customer_id,
        *(before or (None, None, None)),
        own,
        limit,
    )
    return rows


async def get(connection: Connection, key: Key, own: str | None) -> Row | None:
    row: Row | None = await connection.fetchrow(
        f"with known as ({AS_OF} and o.mall_id = $3 and o.order_id = $4)"
        " select k.*, i.customer_id, a.userid, a.channel_id from known k"
        " left join customer_identifiers i on i.corp_id = k.corp_id and i.identifier_id = k.buyer_id"
        " left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (k.corp_id, k.mall_id, k.order_id)"
        f" where ($5::text is null or {OWN.replace('$7', '$5')})",
        key[0],
        None,
        key[1],
        key[2],
        own,
    )
    return row
