"""Which orders stand on a page. Each way begins where there is least to read, whatever the corp's size.

of one customer                    from the customer's identifiers
in a member's scope, few relations from their living relations
that somebody, or a channel, earned along the index of attributions by employee, or by channel
of one number                      from the malls that ever told of orders: they are few
all others                         along an index of orders: by status, mall or moment

The last two pass over what lies outside a member's scope and what further filters leave out, until the page is full.
With R relations in scope the second reads R, the others about (relations of the corp / R) orders for each one found:
FEW lies where both are quick.
"""

from __future__ import annotations

from datetime import datetime

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection
from commerce.db.order_filters import Arguments, Wanted, of_attribution, of_order
from commerce.db.orders import Key

Place = tuple[datetime, str, str]  # the moment that the list is ordered by, mall, order: the last of the page before
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

# The orders `o` of an identifier `i`.
OF_IDENTIFIER = """
    cross join lateral (
        select *
        from orders o
        where o.corp_id = $1 and o.buyer_id = i.identifier_id
        offset 0
    ) o
"""

# The customers with a living relation in the scope of the member $2, and their identifiers.
FEW_CUSTOMERS = f"""
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
"""
IDENTIFIERS_OF_FEW = """
    customers c
    cross join lateral (
        select i.identifier_id
        from customer_identifiers i
        where i.corp_id = $1 and i.customer_id = c.customer_id
        offset 0
    ) i
"""

# Of an order `o`, whether its customer has a living relation in the scope of the member $2.
SERVED = f"""
    exists (
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
        offset 0
    )
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

# Each mall of the corp's orders, by one step along the primary key; and a mall's order of one number.
MALLS = """
    with recursive malls as (
        select min(o.mall_id) as mall_id
        from orders o
        where o.corp_id = $1
        union all
        select (
            select min(o.mall_id)
            from orders o
            where o.corp_id = $1 and o.mall_id > m.mall_id
        )
        from malls m
        where m.mall_id is not null
    )
"""
OF_NUMBER = """
    malls m
    cross join lateral (
        select *
        from orders o
        where (o.corp_id, o.mall_id, o.order_id) = ($1, m.mall_id, {number})
        offset 0
    ) o
"""

# The order of an attribution `a`, and the attribution of an order `o`.
OF_ATTRIBUTION = """
    cross join lateral (
        select *
        from orders o
        where (o.corp_id, o.mall_id, o.order_id) = (a.corp_id, a.mall_id, a.order_id)
        offset 0
    ) o
"""
EARNED = """
    exists (
        select
        from attributions a
        where (a.corp_id, a.mall_id, a.order_id) = (o.corp_id, o.mall_id, o.order_id)
            and {conditions}
        offset 0
    )
"""
# As an attribution keeps the moments of its order.
OF_ATTRIBUTIONS = {"created_at": "ordered_at", "paid_at": "paid_at"}


class Listing:
    """The orders of a corp that are `wanted`, by `column`: created_at or paid_at. `own`: in this member's scope only
    (never with a customer, who is in it or not); `few`: whose relations are few."""

    def __init__(self, corp_id: str, own: str | None, wanted: Wanted, column: str, *, few: bool) -> None:
        self._arguments = Arguments([corp_id] if own is None else [corp_id, own])
        self._with, self._place = "", (f"o.{column}", "o.mall_id", "o.order_id")
        where = of_order(wanted, self._arguments)
        along_attributions = wanted.earned_by and not (wanted.order_id or wanted.customer_id or few)
        if along_attributions:
            self._from = f"attributions a {OF_ATTRIBUTION}"
            self._place = (f"a.{OF_ATTRIBUTIONS[column]}", "a.mall_id", "a.order_id")
            where = ["a.corp_id = $1", *of_attribution(wanted, self._arguments), *where]
        elif wanted.earned_by:
            conditions = " and ".join(of_attribution(wanted, self._arguments))
            where.append(EARNED.format(conditions=conditions))
        if wanted.customer_id:
            self._from = f"customer_identifiers i {OF_IDENTIFIER}"
            where += ["i.corp_id = $1", f"i.customer_id = {self._arguments(wanted.customer_id)}"]
        elif wanted.order_id and not wanted.mall_id:
            self._with, self._from = MALLS, OF_NUMBER.format(number=self._arguments(wanted.order_id))
        elif few:
            self._with, self._from = FEW_CUSTOMERS, f"{IDENTIFIERS_OF_FEW} {OF_IDENTIFIER}"
        elif not along_attributions:
            self._from = "orders o"
            where.append("o.corp_id = $1")
        if own is not None and not few:
            where.append(SERVED)
        # An order of which only later messages came has no moment yet; an unpaid one has none of its payment.
        where.append(f"{self._place[0]} is not null")
        self._gathered = few or bool(wanted.customer_id or wanted.order_id)
        self._where = "\n            and ".join(where)

    def page(self, after: Place | None, limit: int, *, descending: bool) -> tuple[str, Arguments]:
        """The statement and its arguments; it finds corp_id, mall_id, order_id, and the moment as `at`."""
        arguments, direction = Arguments(self._arguments), "desc" if descending else "asc"
        beyond = ""
        if after is not None:
            place = ", ".join(arguments(one) for one in after)
            beyond = f"and ({', '.join(self._place)}) {'<' if descending else '>'} ({place})"
        statement = f"""
            {self._with}
            select o.corp_id, o.mall_id, o.order_id, {self._place[0]} as at
            from {self._from}
            where {self._where}
            {beyond}
            order by {", ".join(f"{one} {direction}" for one in self._place)}
            limit {arguments(limit)}
        """
        return statement, arguments

    def count(self, limit: int) -> tuple[str, Arguments]:
        """A statement that counts no further than `limit`, and its arguments."""
        arguments = Arguments(self._arguments)
        # In the order of the index, so that a scan of the table is not taken for quicker.
        walk = "" if self._gathered else f"order by {', '.join(self._place)}"
        statement = f"""
            {self._with}
            select count(*)
            from (
                select
                from {self._from}
                where {self._where}
                {walk}
                limit {arguments(limit)}
            ) bounded
        """
        return statement, arguments


async def listing(connection: Connection, corp_id: str, own: str | None, wanted: Wanted, column: str) -> Listing | None:
    """By the quickest way; None where nothing of it is in the member's scope."""
    few = False
    if own is not None and wanted.customer_id is not None:
        if not await in_scope(connection, corp_id, own, wanted.customer_id):
            return None
        own = None
    elif own is not None and not wanted.order_id:
        few = await connection.fetchval(COUNT, corp_id, own, FEW + 1) <= FEW
    return Listing(corp_id, own, wanted, column, few=few)


async def page(
    connection: Connection, found: Listing, after: Place | None, limit: int, *, descending: bool
) -> list[tuple[Key, datetime]]:
    """Orders with the moment that they are ordered by."""
    statement, arguments = found.page(after, limit, descending=descending)
    rows = await connection.fetch(statement, *arguments)
    return [((row["corp_id"], row["mall_id"], row["order_id"]), row["at"]) for row in rows]


async def count(connection: Connection, found: Listing, limit: int) -> int:
    """Counts no further than `limit`."""
    statement, arguments = found.count(limit)
    counted: int = await connection.fetchval(statement, *arguments)
    return counted


async def in_scope(connection: Connection, corp_id: str, own: str, customer_id: str | None) -> bool:
    """Whether the member, or somebody in a department they manage, follows the customer now."""
    if customer_id is None:
        return False
    found: bool = await connection.fetchval(IN_SCOPE, corp_id, own, customer_id)
    return found
