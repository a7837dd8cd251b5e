"""What is to be attributed anew: written with what changed, taken after its commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis.pool import Connection, Row
from commerce.db.orders import Key

Identifier = tuple[str, str]  # corp, identifier id
# Stands where a mark must name an identifier and its order has no buyer.
NOBODY = "00000000-0000-0000-0000-000000000000"


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


async def mark_orders_without_buyer(connection: Connection, keys: Iterable[Key]) -> None:
    """Asks for those of these orders to be attributed anew that are attributed: they had a buyer once.

    A replica of the release before takes such a mark for nothing, so they are left to be marked again until done.
    """
    ordered = sorted(keys)
    if ordered:
        await connection.execute(
            """
            with former as (
                update attributions
                set attributed_version = null
                where (corp_id, mall_id, order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
                returning corp_id, mall_id, order_id, buyer_id
            )
            insert into attribution_marks (corp_id, mall_id, order_id, identifier_id)
            select corp_id, mall_id, order_id, coalesce(buyer_id, $4)
            from former
            order by corp_id, mall_id, order_id
            """,
            *zip(*ordered, strict=True),
            NOBODY,
        )


async def mark_orders_of_release_before(connection: Connection, limit: int, queue: str) -> int:
    """Orders whose attribution the release before wrote last, or that lost their buyer since; none while as many marks
    wait. Corps that are parked in `queue` are left out, with their marks."""
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
        select a.corp_id, a.mall_id, a.order_id, coalesce(o.buyer_id, a.buyer_id, $3)
        from attributions a
        join orders o on (o.corp_id, o.mall_id, o.order_id) = (a.corp_id, a.mall_id, a.order_id)
        where a.attributed_version is distinct from a.version
            and a.corp_id not in (select corp_id from aside)
            and (select count(*) from waiting) < $1
        order by a.corp_id, a.mall_id, a.order_id
        limit $1
        """,
        limit,
        queue,
        NOBODY,
    )
    return int(status.split()[-1])


def wanted(rows: Iterable[Row]) -> Marks:
    """Rows of `attribution_marks`, as the work queue takes them."""
    rows = list(rows)
    people = {(row["corp_id"], row["identifier_id"]) for row in rows if row["order_id"] is None}
    orders = {(row["corp_id"], row["mall_id"], row["order_id"]) for row in rows if row["order_id"] is not None}
    return Marks(sorted(people), sorted(orders))
