"""What is to be attributed anew: written with what changed, taken after its commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis.pool import Connection, Row
from commerce.db.orders import Key

Identifier = tuple[str, str]  # corp, identifier id


@dataclass(frozen=True, slots=True)
class Marks:
    """All orders of these people, and these orders."""

    people: Sequence[Identifier]
    orders: Sequence[Key]


async def mark_people(connection: Connection, identifiers: Iterable[Identifier]) -> None:
    """Asks for all orders of these people to be attributed anew."""
    ordered = sorted(set(identifiers))
    if ordered:
        await connection.execute(
            """
            insert into attribution_marks (corp_id, identifier_id)
            select * from unnest($1::text[], $2::uuid[])
            """,
            *zip(*ordered, strict=True),
        )


async def mark_orders(connection: Connection, buyers: Mapping[Key, str]) -> None:
    """Asks for these orders to be attributed anew; each with its buyer's identifier id."""
    ordered = sorted((*key, buyer_id) for key, buyer_id in buyers.items())
    if ordered:
        await connection.execute(
            """
            insert into attribution_marks (corp_id, mall_id, order_id, identifier_id)
            select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
            """,
            *zip(*ordered, strict=True),
        )


async def mark_orders_of_release_before(connection: Connection, limit: int, queue: str) -> int:
    """Orders whose attribution the release before wrote last; none while as many marks wait. Corps that are parked in
    `queue` are left out, with their marks."""
    status = await connection.execute(
        """
        with aside as (
            select corp_id
            from parked
            where durable = $2 and released_at is null
        ),
        waiting as (
            select
            from attribution_marks
            where corp_id not in (select corp_id from aside)
            limit $1
        )
        insert into attribution_marks (corp_id, mall_id, order_id, identifier_id)
        select a.corp_id, a.mall_id, a.order_id, o.buyer_id
        from attributions a
        join orders o on (o.corp_id, o.mall_id, o.order_id) = (a.corp_id, a.mall_id, a.order_id)
        where a.attributed_version is distinct from a.version
            and a.corp_id not in (select corp_id from aside)
            and o.buyer_id is not null
            and (select count(*) from waiting) < $1
        order by a.corp_id, a.mall_id, a.order_id
        limit $1
        """,
        limit,
        queue,
    )
    return int(status.split()[-1])


def wanted(rows: Iterable[Row]) -> Marks:
    """Rows of `attribution_marks`, as the work queue takes them."""
    rows = list(rows)
    people = {(row["corp_id"], row["identifier_id"]) for row in rows if row["order_id"] is None}
    orders = {(row["corp_id"], row["mall_id"], row["order_id"]) for row in rows if row["order_id"] is not None}
    return Marks(sorted(people), sorted(orders))
