"""Customers: as identity keeps them, under their identifiers' locks, and as frontends read them.

`followers`: only customers whom one of these members follows; None for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection, Row

FOLLOWERS = f"""
select userid
from {visible_staff("staff", "$1", "$2")} as visible(userid)
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


async def of_identifiers(connection: Connection, corp_id: str, ids: Sequence[str]) -> list[str]:
    """The customers whom the identifiers name, sorted; values that name nobody are left out."""
    rows = await connection.fetch(
        """
        select distinct customer_id
        from identifiers
        where corp_id = $1 and identifier_id = any($2::uuid[]) and customer_id is not null
        order by customer_id
        """,
        corp_id,
        ids,
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
