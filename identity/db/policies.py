"""What corps have set for kinds of identifiers."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row
from identity.domain.policies import Policies, Policy


async def rows_of(connection: Connection, corp_id: str) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from identifier_policies
        where corp_id = $1
        order by kind
        """,
        corp_id,
    )
    return rows


async def of_corp(connection: Connection, corp_id: str) -> Policies:
    """Read under the identifiers' locks: who decides after a policy has been set, decides by it."""
    return policies_of(await rows_of(connection, corp_id))


def policies_of(rows: Sequence[Row]) -> Policies:
    defaults = Policies()
    return Policies(
        {
            row["kind"]: Policy(
                row["kind"],
                priority=row["priority"],
                most_per_customer=row["most_per_customer"],
                most_customers=row["most_customers"],
                normaliser=defaults.of(row["kind"]).normaliser,
                denied=frozenset(row["denied"]),
            )
            for row in rows
        }
    )


async def save(connection: Connection, corp_id: str, policy: Policy, set_by: str) -> None:
    await connection.execute(
        """
        insert into identifier_policies as p
            (corp_id, kind, priority, most_per_customer, most_customers, denied, set_by)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (corp_id, kind) do update
        set priority = excluded.priority,
            most_per_customer = excluded.most_per_customer,
            most_customers = excluded.most_customers,
            denied = excluded.denied,
            revision = p.revision + 1,
            set_by = excluded.set_by,
            set_at = now()
        """,
        corp_id,
        policy.kind,
        policy.priority,
        policy.most_per_customer,
        policy.most_customers,
        sorted(policy.denied),
        set_by,
    )


async def lock(connection: Connection, corp_id: str) -> None:
    """Nobody else sets a policy of the corp until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 2))", f"identifier-policies/{corp_id}")


async def affected(
    connection: Connection, corp_id: str, policy: Policy, after: str, limit: int
) -> tuple[list[str], str | None]:
    """Looks at `limit` identifiers from `after` on. Returns those whose neighbourhoods the policy may change, and the
    last one looked at; None when there are no more.

    They are: quarantined and denied ones, those at refused edges, those of customers who have more of the kind than
    the policy allows, and those of any kind with more than one link, since a kind's strength counts for its neighbours.
    """
    row = await connection.fetchrow(
        """
        with looked_at as (
            select identifier_id, kind, customer_id, quarantined
            from identifiers
            where corp_id = $1
              and identifier_id > $2
            order by identifier_id
            limit $3
        )
        select
            (select max(identifier_id::text) from looked_at) as last,
            array(
                select l.identifier_id
                from looked_at l
                where l.quarantined
                   or l.identifier_id = any($4::uuid[])
                   or exists (select from conflicts c where c.corp_id = $1 and c.from_id = l.identifier_id)
                   or (
                       select count(*)
                       from (select from edges e where e.corp_id = $1 and e.from_id = l.identifier_id limit 2) few
                   ) > 1
                   or l.kind = $5 and (
                       select count(*)
                       from identifiers o
                       where o.corp_id = $1
                         and o.customer_id = l.customer_id
                         and o.kind = $5
                   ) > $6
            ) as ids
        """,
        corp_id,
        after,
        limit,
        sorted(policy.denied),
        policy.kind,
        policy.most_per_customer,
    )
    assert row is not None, "it has no from"
    return row["ids"], row["last"]
