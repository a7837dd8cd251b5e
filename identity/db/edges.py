"""Edges between identifiers: "these two are one person". Every set is sorted by key; callers lock the identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chassis.pool import Connection, Row
from identity.domain.customers import CROWD, Edge, Pair

# It passes through refused edges: who is refused depends on who else is there, so that the whole neighbourhood decides.
# Each step goes to the index by row, which the lateral with its offset leaves the planner no choice about: it cannot
# guess how far a walk goes, and a wrong guess reads all edges of the corp.
CONNECTED = """
with recursive reach (id) as (
    select unnest($2::uuid[])
    union
    select step.to_id
    from reach r
    cross join lateral (
        select to_id
        from edges
        where corp_id = $1
          and from_id = r.id
          and revoked_at is null
        offset 0
    ) step
    -- A crowd is quarantined, and has more links than are looked at.
    where (
        select not i.quarantined or (
            select count(*)
            from (select from edges e where e.corp_id = $1 and e.from_id = r.id limit $3 + 1) counted
        ) <= $3
        from identifiers i
        where i.corp_id = $1
          and i.identifier_id = r.id
    )
)
select i.identifier_id::text, i.kind, i.customer_id::text, i.quarantined, i.first_seen
from identifiers i
where i.corp_id = $1
  and i.identifier_id = any(array(select id from reach))
order by i.identifier_id
"""
LOCKED = f"{CONNECTED} for update of i"

# What links_of tells of.
EDGE, APART, REFUSED = "edge", "apart", "refused"


@dataclass(frozen=True, slots=True)
class Said:
    """An edge, and the fact that says it."""

    edge: Edge
    fact_id: str

    @property
    def pair(self) -> Pair:
        return self.edge.a, self.edge.b


async def known_edges(connection: Connection, corp_id: str, pairs: Iterable[Pair], source: str) -> dict[Pair, Row]:
    """Those that are known: the earliest word of this source in said_at and fact_id, null when it has not said so;
    `doubted` whether some evidence is revoked."""
    wanted = sorted(pairs)
    rows = await connection.fetch(
        """
        select e.from_id::text, e.to_id::text,
            -- What the release before wrote has no evidence but itself.
            coalesce(own.at, case when e.source = $4 then e.at end) as said_at,
            coalesce(own.fact_id, '') as fact_id,
            exists (
                select
                from edge_evidence v
                where (v.corp_id, v.a_id, v.b_id) = ($1, e.from_id, e.to_id)
                  and v.revoked_at is not null
            ) as doubted
        from edges e
        left join edge_evidence own on (own.corp_id, own.a_id, own.b_id, own.source) = ($1, e.from_id, e.to_id, $4)
        where e.corp_id = $1
          and (e.from_id, e.to_id) in (select * from unnest($2::uuid[], $3::uuid[]))
        """,
        corp_id,
        [a for a, _ in wanted],
        [b for _, b in wanted],
        source,
    )
    return {(row["from_id"], row["to_id"]): row for row in rows}


async def connected(
    connection: Connection, corp_id: str, ids: Iterable[str], *, locked: bool = False
) -> dict[str, Row]:
    """The identifiers and all that edges connect them to, not passing through crowds: kind, customer_id, quarantined
    and first_seen of each. Under `locked` their rows are locked, in the order of their ids."""
    rows = await connection.fetch(LOCKED if locked else CONNECTED, corp_id, sorted(ids), CROWD)
    return {row["identifier_id"]: row for row in rows}


async def crowds(connection: Connection, corp_id: str, ids: Sequence[str]) -> set[str]:
    """Those of the identifiers that have more links than are looked at."""
    rows = await connection.fetch(
        """
        select id
        from unnest($2::uuid[]) as t(id)
        where (
            select count(*)
            from (select from edges e where e.corp_id = $1 and e.from_id = t.id limit $3 + 1) counted
        ) > $3
        """,
        corp_id,
        ids,
        CROWD,
    )
    return {row["id"] for row in rows}


async def add_edges(connection: Connection, corp_id: str, said: Iterable[Said], source: str) -> None:
    """Edges, both ways, with their evidence. Not for those of which some evidence is revoked."""
    ordered = sorted(said, key=lambda one: (one.edge.a, one.edge.b))
    await connection.execute(
        """
        with said (a, b, fact_id, at) as (
            select *
            from unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
        ),
        kept as (
            insert into edge_evidence as v (corp_id, a_id, b_id, source, fact_id, at)
            select $1, a, b, $6, fact_id, at
            from said
            on conflict (corp_id, a_id, b_id, source) do update
            set fact_id = excluded.fact_id, at = excluded.at
            where (excluded.at, excluded.fact_id) < (v.at, v.fact_id)
        )
        insert into edges as e (corp_id, from_id, to_id, at, source)
        select $1, one, other, at, $6
        from (select a as one, b as other, at from said union all select b, a, at from said) both_ways
        order by one, other
        on conflict (corp_id, from_id, to_id) do update
        set at = excluded.at
        where excluded.at < e.at
        """,
        corp_id,
        [one.edge.a for one in ordered],
        [one.edge.b for one in ordered],
        [one.fact_id for one in ordered],
        [one.edge.at for one in ordered],
        source,
    )


async def links_of(
    connection: Connection, corp_id: str, ids: Sequence[str], with_crowds: Sequence[str]
) -> Sequence[Row]:
    """What is said of the identifiers, as `what`: every EDGE that begins at one of them, wherever it leads (each edge
    lies both ways), with its time; pairs declared APART, one way; edges REFUSED so far, one way, with their reason,
    those of crowds too. Each row tells whether the corp has policies of its own."""
    if not with_crowds:
        return ()
    rows: Sequence[Row] = await connection.fetch(
        """
        select links.*, exists (select from identifier_policies p where p.corp_id = $1) as has_policies
        from (
            select 'edge' as what, from_id::text, to_id::text, at, revoked_at is not null as is_revoked, '' as reason
            from edges
            where corp_id = $1
              and from_id = any($2::uuid[])
            union all
            select 'apart', a_id::text, b_id::text, declared_at, false, ''
            from separations
            where corp_id = $1
              and a_id = any($2::uuid[])
              and undone_at is null
            union all
            select 'refused', from_id::text, to_id::text, null, false, reason
            from conflicts
            where corp_id = $1
              and from_id = any($3::uuid[])
        ) links
        """,
        corp_id,
        ids,
        with_crowds,
    )
    return rows
