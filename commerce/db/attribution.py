"""What attribution reads (relations, touches, people) and writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.pool import Connection, Row
from commerce.db.orders import Key

Identifier = tuple[str, str]  # corp, identifier id


@dataclass(frozen=True, slots=True)
class Marks:
    """What is to be attributed anew: all orders of these people, and these orders. `count` is of rows taken."""

    people: Sequence[Identifier]
    orders: Sequence[Key]
    count: int


async def mark_people(connection: Connection, identifiers: Iterable[Identifier]) -> None:
    """Asks for all orders of these people to be attributed anew."""
    ordered = sorted(set(identifiers))
    if ordered:
        await connection.execute(
            "insert into attribution_marks (corp_id, identifier_id) select * from unnest($1::text[], $2::uuid[])",
            *zip(*ordered, strict=True),
        )


async def mark_orders(connection: Connection, buyers: Mapping[Key, str]) -> None:
    """Asks for these orders to be attributed anew; each with its buyer's identifier id."""
    ordered = sorted((*key, buyer_id) for key, buyer_id in buyers.items())
    if ordered:
        await connection.execute(
            "insert into attribution_marks (corp_id, mall_id, order_id, identifier_id)"
            " select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[])",
            *zip(*ordered, strict=True),
        )


async def take_marks(connection: Connection, limit: int) -> Marks:
    rows = await connection.fetch(
        "delete from attribution_marks where (corp_id, mark_id) in (select corp_id, mark_id from attribution_marks"
        " order by mark_id limit $1 for update skip locked) returning corp_id, identifier_id, mall_id, order_id",
        limit,
    )
    people = {(row["corp_id"], row["identifier_id"]) for row in rows if row["order_id"] is None}
    orders = {(row["corp_id"], row["mall_id"], row["order_id"]) for row in rows if row["order_id"] is not None}
    return Marks(sorted(people), sorted(orders), len(rows))


async def lock_orders_of(connection: Connection, marks: Marks) -> dict[Key, Row]:
    """Locks the marked orders and all orders of the marked people, in key order, and returns them."""
    rows = await connection.fetch(
        "with marked as (select * from unnest($1::text[], $2::uuid[]) as t(corp_id, identifier_id)),"
        " people as (select corp_id, identifier_id from marked union"
        " select b.corp_id, b.identifier_id from marked m"
        " join customer_identifiers a on (a.corp_id, a.identifier_id) = (m.corp_id, m.identifier_id)"
        " join customer_identifiers b on (b.corp_id, b.customer_id) = (a.corp_id, a.customer_id)),"
        " wanted as (select * from unnest($3::text[], $4::text[], $5::text[]) union"
        " select o.corp_id, o.mall_id, o.order_id from people p"
        " join orders o on (o.corp_id, o.buyer_id) = (p.corp_id, p.identifier_id))"
        " select o.* from orders o where (o.corp_id, o.mall_id, o.order_id) in (select * from wanted)"
        " and o.buyer_id is not null order by o.corp_id, o.mall_id, o.order_id for update",
        *(zip(*marks.people, strict=True) if marks.people else ([], [])),
        *(zip(*marks.orders, strict=True) if marks.orders else ([], [], [])),
    )
    return {(row["corp_id"], row["mall_id"], row["order_id"]): row for row in rows}


async def attribute(connection: Connection, keys: Sequence[Key], days: Mapping[str, int]) -> Sequence[Row]:
    """Attributes the orders and returns those whose attribution or worth changed.

    Employee: a living follow relation at the order's time, latest added first. Channel: the last acquisition touch at
    or before the order, within the corp's window. Both over all contacts of the buyer's customer.
    """
    corps = sorted({key[0] for key in keys})
    rows: Sequence[Row] = await connection.fetch(
        "with wanted as (select o.*, w.days from unnest($1::text[], $2::text[], $3::text[]) as t(c, m, i)"
        " join orders o on (o.corp_id, o.mall_id, o.order_id) = (t.c, t.m, t.i)"
        " join unnest($4::text[], $5::int[]) as w(corp_id, days) on w.corp_id = o.corp_id"
        " where o.created_at is not null),"
        " found as (select o.corp_id, o.mall_id, o.order_id, e.userid, e.contact_id, h.channel_id,"
        " o.paid_fen is not null as paid, coalesce(o.paid_fen, 0) as paid_fen,"
        " coalesce((select sum(f.amount_fen) from refunds f"
        "  where (f.corp_id, f.mall_id, f.order_id) = (o.corp_id, o.mall_id, o.order_id) and f.status = 'ACCEPTED'),"
        "  0)::bigint as refunded_fen"
        " from wanted o"
        " left join customer_identifiers i on (i.corp_id, i.identifier_id) = (o.corp_id, o.buyer_id)"
        " left join lateral (select s.userid, s.contact_id from customer_identifiers c"
        "  join relation_spans s on (s.corp_id, s.contact_id) = (c.corp_id, c.identifier_id)"
        "  where c.corp_id = o.corp_id and c.customer_id = i.customer_id and s.added_at <= o.created_at"
        "  and (s.ended_at is null or s.ended_at > o.created_at)"
        "  order by s.added_at desc, s.userid, s.contact_id limit 1) e on true"
        " left join lateral (select h.channel_id from customer_identifiers c"
        "  join touches h on (h.corp_id, h.contact_id) = (c.corp_id, c.identifier_id)"
        "  where c.corp_id = o.corp_id and c.customer_id = i.customer_id and not h.confirmation"
        "  and h.added_at <= o.created_at and h.added_at >= o.created_at - make_interval(days => o.days)"
        "  order by h.added_at desc, h.touch_id desc limit 1) h on true)"
        " insert into attributions as a (corp_id, mall_id, order_id, userid, contact_id, channel_id, paid,"
        " paid_fen, refunded_fen, version) select *, 1 from found order by corp_id, mall_id, order_id"
        " on conflict (corp_id, mall_id, order_id) do update set userid = excluded.userid,"
        " contact_id = excluded.contact_id, channel_id = excluded.channel_id, paid = excluded.paid,"
        " paid_fen = excluded.paid_fen,"
        " refunded_fen = excluded.refunded_fen, version = a.version + 1"
        " where (a.userid, a.contact_id, a.channel_id, a.paid, a.paid_fen, a.refunded_fen) is distinct from"
        " (excluded.userid, excluded.contact_id, excluded.channel_id, excluded.paid, excluded.paid_fen,"
        " excluded.refunded_fen)"
        " returning *",
        *zip(*keys, strict=True),
        corps,
        [days[corp_id] for corp_id in corps],
    )
    return rows


async def raise_once(connection: Connection, alerts: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """(corp, alert id) → those that had not been raised."""
    ordered = sorted(set(alerts))
    if not ordered:
        return set()
    rows = await connection.fetch(
        "insert into alerts_raised select * from unnest($1::text[], $2::text[]) on conflict do nothing"
        " returning corp_id, alert_id",
        *zip(*ordered, strict=True),
    )
    return {(row["corp_id"], row["alert_id"]) for row in rows}


async def save_relations(
    connection: Connection, relations: Mapping[tuple[str, str, str], tuple[int, Sequence[tuple[Any, Any]]]]
) -> None:
    """(corp, contact, userid) → (version, spans); the highest version wins and its spans replace the old ones."""
    keys = sorted(relations)
    rows = await connection.fetch(
        "insert into relations as r (corp_id, contact_id, userid, version)"
        " select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[])"
        " on conflict (corp_id, contact_id, userid) do update set version = excluded.version"
        " where r.version < excluded.version returning corp_id, contact_id, userid",
        *zip(*keys, strict=True),
        [relations[key][0] for key in keys],
    )
    newer = sorted((row["corp_id"], row["contact_id"], row["userid"]) for row in rows)
    if not newer:
        return
    await connection.execute(
        "delete from relation_spans where (corp_id, contact_id, userid) in"
        " (select * from unnest($1::text[], $2::uuid[], $3::text[]))",
        *zip(*newer, strict=True),
    )
    spans = [(*key, added_at, ended_at) for key in newer for added_at, ended_at in relations[key][1]]
    if spans:
        await connection.execute(
            "insert into relation_spans (corp_id, contact_id, userid, added_at, ended_at)"
            " select * from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])",
            *zip(*spans, strict=True),
        )


async def save_touches(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (corp, touch, contact, channel, confirmation, added_at, version); the highest version wins."""
    await connection.execute(
        "insert into touches as t (corp_id, touch_id, contact_id, channel_id, confirmation, added_at, version)"
        " select * from unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::bool[], $6::timestamptz[],"
        " $7::bigint[]) on conflict (corp_id, touch_id) do update set confirmation = excluded.confirmation,"
        " version = excluded.version where t.version < excluded.version",
        *zip(*sorted(rows), strict=True),
    )
