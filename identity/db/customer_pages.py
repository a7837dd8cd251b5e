"""Pages of customers by when they were first known, in either direction.

A page begins where least is to be looked at: at the contacts of a name, at the living relations of some members, or at
the customers themselves. All begin at an index and stop at the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from chassis.paging import NIL
from chassis.pool import Connection

# A page begins at names or relations up to this many. With more, going through the customers finds it sooner.
NARROW = 20_000
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)

Place = tuple[datetime, str]  # created_at, customer id
Begin = Literal["customers", "names", "relations"]

FEW_RELATIONS = """
select count(*)
from (
    select
    from unnest($2::text[]) as follower(userid)
    cross join lateral (
        select
        from relations r
        where r.corp_id = $1
          and r.userid = follower.userid
          and r.alive
        offset 0
    ) followed
    limit $3
) few
"""

FEW_NAMES = """
select count(*)
from (
    select
    from contact_name_prefixes
    where corp_id = $1
      and prefix_id = $2
    order by contact_id -- as the index has them
    limit $3
) few
"""

# Whether one of the members follows the customer c, and whether a contact of c has such a name. As values and not as
# exists(), which the planner might answer for all customers at once; with offsets, so that it begins at the customer.
FOLLOWED = """(
    $6::text[] is null
    or (
        select true
        from identifiers i
        cross join lateral (
            select userid
            from relations r
            where r.corp_id = $1
              and r.contact_id = i.identifier_id
              and r.alive
            offset 0
        ) followed
        where i.corp_id = $1
          and i.customer_id = c.customer_id
          -- Members are hashed once, however many; without the case they would be joined for each customer.
          and case when followed.userid in (select unnest($6::text[])) then true end
        limit 1
    )
)"""
NAMED = """(
    $7::uuid is null
    or (
        select true
        from identifiers i
        cross join lateral (
            select name_prefix_ids
            from contacts n
            where n.corp_id = $1
              and n.contact_id = i.identifier_id
            offset 0
        ) named
        where i.corp_id = $1
          and i.customer_id = c.customer_id
          and $7 = any(named.name_prefix_ids)
        limit 1
    )
)"""

# Between two places, neither included.
BETWEEN = """
    c.merged_into is null
    and (c.created_at, c.customer_id) > ($2, $3::uuid)
    and (c.created_at, c.customer_id) < ($4, $5::uuid)
"""

# From contacts to their customers by index at each step: the laterals with their offsets leave the planner no choice,
# since it cannot guess how few contacts there are.
THEIRS = f"""
cross join lateral (
    select customer_id
    from identifiers i
    where i.corp_id = $1
      and i.identifier_id = contact.contact_id
    offset 0
) theirs
cross join lateral (
    select c.customer_id, c.created_at
    from customers c
    where c.corp_id = $1
      and c.customer_id = theirs.customer_id
      and {BETWEEN}
    offset 0
) c
"""

WANTED: dict[Begin, str] = {
    "customers": f"""
        select c.created_at, c.customer_id
        from customers c
        where c.corp_id = $1
          and {BETWEEN}
          and {FOLLOWED}
          and {NAMED}
    """,
    "names": f"""
        select distinct c.created_at, c.customer_id
        from contact_name_prefixes contact
        {THEIRS}
        where contact.corp_id = $1
          and contact.prefix_id = $7
          and {FOLLOWED}
    """,
    "relations": f"""
        select distinct c.created_at, c.customer_id
        from unnest($6::text[]) as follower(userid)
        cross join lateral (
            select contact_id
            from relations r
            where r.corp_id = $1
              and r.userid = follower.userid
              and r.alive
            offset 0
        ) contact
        {THEIRS}
        where {NAMED}
    """,
}

# Of the newest so many, how many are wanted.
COUNT_CUSTOMERS = f"""
select count(*) filter (where {FOLLOWED} and {NAMED}) as counted, count(*) as looked_at
from (
    select customer_id
    from customers c
    where c.corp_id = $1
      and {BETWEEN}
    order by c.created_at desc, c.customer_id desc
    limit $8
) c
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`followers`: only customers whom one of these members follows; None for all. `prefix_id`: only those with a
    contact whose name begins so."""

    corp_id: str
    followers: Sequence[str] | None = None
    prefix_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def between(self, after: Place | None, *, descending: bool) -> tuple[Any, ...]:
        low, high = (self.since or EARLIEST, NIL), (self.until or LATEST, NIL)
        if after is not None:
            low, high = (low, after) if descending else (after, high)
        return self.corp_id, *low, *high, self.followers, self.prefix_id


def page_sql(begin: Begin, *, descending: bool) -> str:
    direction = "desc" if descending else "asc"
    return f"{WANTED[begin]} order by created_at {direction}, customer_id {direction} limit $8"


async def begin(connection: Connection, wanted: Wanted) -> Begin:
    """Where least is to be looked at."""
    most = NARROW + 1
    corp_id, followers, prefix_id = wanted.corp_id, wanted.followers, wanted.prefix_id
    if prefix_id is not None and await connection.fetchval(FEW_NAMES, corp_id, prefix_id, most) < most:
        return "names"
    if followers is not None and await connection.fetchval(FEW_RELATIONS, corp_id, followers, most) < most:
        return "relations"
    return "customers"


async def page(
    connection: Connection, wanted: Wanted, begins: Begin, after: Place | None, limit: int, *, descending: bool
) -> list[Place]:
    """The places of the customers behind `after`."""
    rows = await connection.fetch(
        page_sql(begins, descending=descending), *wanted.between(after, descending=descending), limit
    )
    return [(row["created_at"], row["customer_id"]) for row in rows]


async def count(connection: Connection, wanted: Wanted, begins: Begin, limit: int) -> tuple[int, bool]:
    """How many there are, up to `limit`, and whether there may be more."""
    where = wanted.between(None, descending=True)
    if begins == "customers":
        row = await connection.fetchrow(COUNT_CUSTOMERS, *where, NARROW)
        assert row is not None, "an aggregate always returns its row"
        return row["counted"], row["looked_at"] == NARROW
    counted: int = await connection.fetchval(f"select count(*) from ({WANTED[begins]} limit $8) bounded", *where, limit)
    return counted, counted >= limit
