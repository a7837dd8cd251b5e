"""Who said that two identifiers are one person. Callers lock the identifiers before they write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chassis.pool import Connection, Row
from identity.db.edges import Said
from identity.domain.customers import Pair


async def add(connection: Connection, corp_id: str, said: Iterable[Said], source: str) -> None:
    """Keeps the earliest word of a source about edges of which some evidence is revoked."""
    ordered = sorted(said, key=lambda one: (one.edge.a, one.edge.b))
    await connection.execute(
        """
        insert into edge_evidence as v (corp_id, a_id, b_id, source, fact_id, at)
        select $1, a, b, $5, fact_id, at
        from unnest($2::uuid[], $3::uuid[], $4::text[], $6::timestamptz[]) as t(a, b, fact_id, at)
        on conflict (corp_id, a_id, b_id, source) do update
        set fact_id = excluded.fact_id, at = excluded.at
        where (excluded.at, excluded.fact_id) < (v.at, v.fact_id)
        """,
        corp_id,
        [one.edge.a for one in ordered],
        [one.edge.b for one in ordered],
        [one.fact_id for one in ordered],
        source,
        [one.edge.at for one in ordered],
    )
    await weigh(connection, corp_id, [(one.edge.a, one.edge.b) for one in ordered])


async def weigh(connection: Connection, corp_id: str, pairs: Iterable[Pair]) -> None:
    """Makes the edges what their evidence says: as old as the earliest that counts, revoked when none does."""
    ordered = sorted(pairs)
    await connection.execute(
        """
        with weighed as (
            select a_id, b_id,
                min(at) filter (where revoked_at is null) as at,
                max(revoked_at) as revoked_at
            from edge_evidence
            where corp_id = $1
              and (a_id, b_id) in (select * from unnest($2::uuid[], $3::uuid[]))
            group by a_id, b_id
        )
        update edges e
        set at = coalesce(w.at, e.at),
            revoked_at = case when w.at is null then w.revoked_at end
        from weighed w
        where e.corp_id = $1
          and ((e.from_id, e.to_id) = (w.a_id, w.b_id) or (e.from_id, e.to_id) = (w.b_id, w.a_id))
        """,
        corp_id,
        [a for a, _ in ordered],
        [b for _, b in ordered],
    )


async def set_revoked(connection: Connection, corp_id: str, pair: Pair, source: str, by: str | None) -> Row | None:
    """By None: it counts again. Returns the evidence, or None when the source has never said so."""
    # What the release before wrote has no evidence but itself.
    await connection.execute(
        """
        insert into edge_evidence (corp_id, a_id, b_id, source, fact_id, at)
        select corp_id, from_id, to_id, source, '', at
        from edges
        where (corp_id, from_id, to_id) = ($1, $2, $3)
        on conflict do nothing
        """,
        corp_id,
        *pair,
    )
    row: Row | None = await connection.fetchrow(
        """
        update edge_evidence
        set revoked_by = $5, revoked_at = case when $5::text is not null then coalesce(revoked_at, now()) end
        where (corp_id, a_id, b_id, source) = ($1, $2, $3, $4)
        returning *
        """,
        corp_id,
        *pair,
        source,
        by,
    )
    await weigh(connection, corp_id, [pair])
    return row


async def of_customer(connection: Connection, corp_id: str, customer_id: str) -> Sequence[Row]:
    """All evidence that touches an identifier of the customer, what the release before wrote included."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select e.from_id as a_id, e.to_id as b_id,
            coalesce(v.source, e.source) as source,
            coalesce(v.fact_id, '') as fact_id,
            coalesce(v.at, e.at) as at,
            v.revoked_by, v.revoked_at
        from edges e
        left join edge_evidence v on (v.corp_id, v.a_id, v.b_id) = (e.corp_id, e.from_id, e.to_id)
        where e.corp_id = $1
          and e.from_id < e.to_id
          and exists (
              select
              from identifiers i
              where i.corp_id = $1
                and i.customer_id = $2
                and i.identifier_id in (e.from_id, e.to_id)
          )
        order by 1, 2, 3
        limit 1000
        """,
        corp_id,
        customer_id,
    )
    return rows
