"""Which orders stand on a page. Each way begins where there is least to read, whatever the corp's size.

all orders                         newest first along `orders_page`
of one customer                    from the customer's identifiers
in a member's scope, few relations from their living relations
in a member's scope, many          newest first, until enough are theirs

With R relations in scope the third reads R, the fourth about (relations of the corp / R) orders for each one found:
FEW lies where both are quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection

Place = tuple[datetime, str, str]  # created at, mall, order: the last of the page before
Found = tuple[str, str, str]  # corp, mall, order
FEW = 20_000

# `offset 0` keeps the planner from turning a walk along an index into a scan of the whole table.
MEMBERS = f"""
    members as materialized (
        select distinct userid
        from {visible_staff("staff_places", "$1::text", "$2::text")} as v(userid)
    )
"""

# For a relation `s`: one look-up of its employee, however many are in scope.
SERVED_BY_ONE = f"""
    exists (
        select
        from {visible_staff("staff_places", "$1::text", "$2::text")} as v(userid)
        where v.userid = s.userid
        offset 0
    )
"""

COUNT = f"""
    with {MEMBERS}
    select count(*)
    from (
        select 1
        from members m
        cross join lateral (
            select 1
            from relation_spans s
            where s.corp_id = $1 and s.userid = m.userid and s.ended_at is null
            offset 0
        ) s
        limit $3
    ) bounded
"""

ALL = """
    select o.corp_id, o.mall_id, o.order_id
    from orders o
    where o.corp_id = $1 and (o.created_at, o.mall_id, o.order_id) < ($2::timestamptz, $3, $4)
    order by o.created_at desc, o.mall_id desc, o.order_id desc
    limit $5
"""

OF_CUSTOMER = """
    select o.corp_id, o.mall_id, o.order_id
    from customer_identifiers i
    cross join lateral (
        select *
        from orders o
        where o.corp_id = i.corp_id
            and o.buyer_id = i.identifier_id
            and (o.created_at, o.mall_id, o.order_id) < ($2::timestamptz, $3, $4)
        offset 0
    ) o
    where i.corp_id = $1 and i.customer_id = $6
    order by o.created_at desc, o.mall_id desc, o.order_id desc
    limit $5
"""

OF_FEW = f"""
    with {MEMBERS},
    customers as materialized (
        select distinct c.customer_id
        from members m
        cross join lateral (
            select s.contact_id
            from relation_spans s
            where s.corp_id = $1 and s.userid = m.userid and s.ended_at is null
            offset 0
        ) s
        cross join lateral (
            select c.customer_id
            from customer_identifiers c
            where c.corp_id = $1 and c.identifier_id = s.contact_id
            offset 0
        ) c
    )
    select o.corp_id, o.mall_id, o.order_id
    from customers c
    cross join lateral (
        select i.identifier_id
        from customer_identifiers i
        where i.corp_id = $1 and i.customer_id = c.customer_id
        offset 0
    ) i
    cross join lateral (
        select *
        from orders o
        where o.corp_id = $1
            and o.buyer_id = i.identifier_id
            and (o.created_at, o.mall_id, o.order_id) < ($3::timestamptz, $4, $5)
        offset 0
    ) o
    order by o.created_at desc, o.mall_id desc, o.order_id desc
    limit $6
"""

OF_MANY = f"""
    select o.corp_id, o.mall_id, o.order_id
    from orders o
    where o.corp_id = $1
        and (o.created_at, o.mall_id, o.order_id) < ($3::timestamptz, $4, $5)
        and exists (
            select
            from customer_identifiers i
            cross join lateral (
                select c.identifier_id
                from customer_identifiers c
                where c.corp_id = $1 and c.customer_id = i.customer_id
                offset 0
            ) c
            cross join lateral (
                select s.userid
                from relation_spans s
                where s.corp_id = $1 and s.contact_id = c.identifier_id and s.ended_at is null
                offset 0
            ) s
            where i.corp_id = $1 and i.identifier_id = o.buyer_id and {SERVED_BY_ONE}
        )
    order by o.created_at desc, o.mall_id desc, o.order_id desc
    limit $6
"""

IN_SCOPE = f"""
    select exists (
        select
        from customer_identifiers c
        join relation_spans s on (s.corp_id, s.contact_id) = (c.corp_id, c.identifier_id)
        where c.corp_id = $1
            and c.customer_id = $3
            and s.ended_at is null
            and {SERVED_BY_ONE}
    )
"""


async def page(
    connection: Connection, corp_id: str, own: str | None, customer_id: str | None, before: Place, limit: int
) -> Sequence[Found]:
    """Newest first, those in the scope of the member `own` only, when given."""
    if customer_id is not None:
        if own is not None and not await in_scope(connection, corp_id, own, customer_id):
            return []
        rows = await connection.fetch(OF_CUSTOMER, corp_id, *before, limit, customer_id)
    elif own is None:
        rows = await connection.fetch(ALL, corp_id, *before, limit)
    else:
        relations = await connection.fetchval(COUNT, corp_id, own, FEW + 1)
        way = OF_FEW if relations <= FEW else OF_MANY
        rows = await connection.fetch(way, corp_id, own, *before, limit)
    return [(row["corp_id"], row["mall_id"], row["order_id"]) for row in rows]


async def in_scope(connection: Connection, corp_id: str, own: str, customer_id: str | None) -> bool:
    """Whether the member, or somebody in a department they manage, follows the customer now."""
    if customer_id is None:
        return False
    found: bool = await connection.fetchval(IN_SCOPE, corp_id, own, customer_id)
    return found
