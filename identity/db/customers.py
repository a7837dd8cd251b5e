"""Customers: as identity keeps them, under their identifiers' locks, and as frontends read them.

`followers`: only customers whom one of these members follows; None for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection, Row

# A page begins at the scope's living relations up to this many. With more, going through the customers finds it sooner.
NARROW = 20_000
# Behind every customer id.
LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"

FOLLOWERS = f"""
select userid
from {visible_staff("staff", "$1", "$2")} as visible(userid)
"""

RELATIONS = """
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

ALL = """
select customer_id
from customers
where corp_id = $1
  and customer_id < $2
  and merged_into is null
order by customer_id desc
limit $3
"""

# From the members' living relations to their customers, by index at each step: the laterals with their offsets leave
# the planner no choice, since it cannot guess how few relations there are.
OF_FEW = """
select distinct theirs.customer_id
from unnest($4::text[]) as follower(userid)
cross join lateral (
    select contact_id
    from relations r
    where r.corp_id = $1
      and r.userid = follower.userid
      and r.alive
    offset 0
) followed
cross join lateral (
    select customer_id
    from identifiers i
    where i.corp_id = $1
      and i.identifier_id = followed.contact_id
    offset 0
) theirs
where theirs.customer_id < $2
order by theirs.customer_id desc
limit $3
"""

# From the newest customer on, asking of each whether one of the members follows them.
OF_MANY = """
select c.customer_id
from customers c
cross join lateral (
    select
    from identifiers i
    join relations r on (r.corp_id, r.contact_id) = (i.corp_id, i.identifier_id)
    where i.corp_id = c.corp_id
      and i.customer_id = c.customer_id
      and r.userid = any($4)
      and r.alive
    limit 1
) followed
where c.corp_id = $1
  and c.customer_id < $2
  and c.merged_into is null
order by c.customer_id desc
limit $3
"""


async def merge(connection: Connection, corp_id: str, into: Mapping[str, str]) -> None:
    """Loser → winner; what had been merged into a loser follows, so that a chain is always one step."""
    losers = sorted(into)
    await connection.execute(
        """
        update customers c
        set merged_into = t.winner
        from unnest($2::uuid[], $3::uuid[]) as t(loser, winner)
        where c.corp_id = $1
          and (c.customer_id = t.loser or c.merged_into = t.loser)
        """,
        corp_id,
        losers,
        [into[one] for one in losers],
    )


async def dissolve(connection: Connection, corp_id: str, ids: Iterable[str]) -> None:
    """Customers who have no identifier any more, and those who had been merged into them."""
    await connection.execute(
        """
        delete from customers
        where corp_id = $1
          and (customer_id = any($2::uuid[]) or merged_into = any($2::uuid[]))
        """,
        corp_id,
        sorted(ids),
    )


async def followers(connection: Connection, corp_id: str, me: str | None) -> list[str] | None:
    """The members whose customers the member `me` sees; None when there is no such bound."""
    if me is None:
        return None
    return sorted({row["userid"] for row in await connection.fetch(FOLLOWERS, corp_id, me)})


async def page(
    connection: Connection, corp_id: str, followers: Sequence[str] | None, before: str | None, limit: int
) -> list[str]:
    """Customer ids, newest first."""
    where = (corp_id, before or LAST, limit)
    if followers is None:
        rows = await connection.fetch(ALL, *where)
    else:
        relations = await connection.fetchval(RELATIONS, corp_id, followers, NARROW + 1)
        rows = await connection.fetch(OF_FEW if relations <= NARROW else OF_MANY, *where, followers)
    return [row["customer_id"] for row in rows]


async def of_identifier(connection: Connection, corp_id: str, identifier_id: str) -> list[str]:
    """The customer whom the identifier names: one or none."""
    rows = await connection.fetch(
        """
        select customer_id
        from identifiers
        where corp_id = $1 and identifier_id = $2 and customer_id is not null
        """,
        corp_id,
        identifier_id,
    )
    return [row["customer_id"] for row in rows]


async def is_followed(connection: Connection, corp_id: str, customer_id: str, followers: Sequence[str]) -> bool:
    return bool(
        await connection.fetchval(
            """
            select true
            from identifiers i
            join relations r on (r.corp_id, r.contact_id) = (i.corp_id, i.identifier_id)
            where i.corp_id = $1
              and i.customer_id = $2
              and r.userid = any($3)
              and r.alive
            limit 1
            """,
            corp_id,
            customer_id,
            followers,
        )
    )


async def figures(connection: Connection, corp_id: str, accounts: Sequence[str]) -> Row:
    row = await connection.fetchrow(
        """
        select count(*) as identifiers,
            count(distinct customer_id) as people,
            count(*) filter (where kind = any($2) and customer_id is not null)
                - count(distinct customer_id) filter (where kind = any($2)) as merges,
            (select count(*) from conflicts where corp_id = $1) as conflicts,
            (select count(*) from relations where corp_id = $1 and alive) as living
        from identifiers
        where corp_id = $1
        """,
        corp_id,
        list(accounts),
    )
    assert row is not None, "an aggregate always returns its row"
    return row
