"""Customers with what belongs to them, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection

# Customers that live under these ids now, with what belongs to each, in one statement however many there are.
WHOLE = """
select c.customer_id, c.created_at, worth.orders, worth.net_fen, named.identifiers, followed.relations
from customers c
cross join lateral (
    select count(*) filter (where o.paid_fen is not null) as orders,
        -- Money of several currencies is never added up. The release before says none.
        coalesce(sum(o.paid_fen - o.refunded_fen) filter (where coalesce(o.currency, 'CNY') = 'CNY'), 0)::bigint
            as net_fen
    from identifiers i
    join order_values o on (o.corp_id, o.buyer_id) = (i.corp_id, i.identifier_id)
    where i.corp_id = c.corp_id
      and i.customer_id = c.customer_id
) worth
cross join lateral (
    select array_agg((i.kind, i.identifier_id, i.sealed, n.sealed_name) order by i.kind, i.identifier_id) as identifiers
    from identifiers i
    left join contacts n on (n.corp_id, n.contact_id) = (i.corp_id, i.identifier_id)
    where i.corp_id = c.corp_id
      and i.customer_id = c.customer_id
) named
cross join lateral (
    select array_agg((r.userid, r.added_at, r.ended_at) order by r.added_at, r.userid) as relations
    from identifiers i
    join relations r on (r.corp_id, r.contact_id) = (i.corp_id, i.identifier_id)
    where i.corp_id = c.corp_id
      and i.customer_id = c.customer_id
      and r.added_at is not null
) followed
where c.corp_id = $1
  and c.merged_into is null
  -- As an array, so that the customers are found by index before anything is joined to them.
  and c.customer_id = any(array(
      select coalesce(asked.merged_into, asked.customer_id)
      from customers asked
      where asked.corp_id = $1
        and asked.customer_id = any($2::uuid[])
  ))
order by c.customer_id desc
"""


@dataclass(frozen=True, slots=True)
class NamedIdentifier:
    """An identifier of a customer; `sealed_name`: the contact's, where it is one whose name was read."""

    kind: str
    identifier_id: str
    sealed: bytes
    sealed_name: bytes | None


@dataclass(frozen=True, slots=True)
class Followed:
    """A follow relation of a customer's contact, as it was last."""

    userid: str
    added_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as people read them; `orders`: paid ones; `net_fen`: paid less refunded, of those in CNY."""

    customer_id: str
    created_at: datetime
    orders: int
    net_fen: int
    identifiers: Sequence[NamedIdentifier]
    relations: Sequence[Followed]


async def whole(connection: Connection, corp_id: str, ids: Sequence[str]) -> list[Customer]:
    """The customers who live under these ids now, newest first."""
    return [
        Customer(
            row["customer_id"],
            row["created_at"],
            row["orders"],
            row["net_fen"],
            [NamedIdentifier(*one) for one in row["identifiers"] or ()],
            [Followed(*one) for one in row["relations"] or ()],
        )
        for row in await connection.fetch(WHOLE, corp_id, ids)
    ]
