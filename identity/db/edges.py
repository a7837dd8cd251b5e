"""Edges between identifiers: "these two are one person". Every set is sorted by key; callers lock the identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis.pool import Connection, Row
from identity.domain.customers import CROWD, Edge, Pair


@dataclass(frozen=True, slots=True)
class Said:
    """An edge, and the fact that says it."""

    edge: Edge
    fact_id: str

    @property
    def pair(self) -> Pair:
        return self.edge.a, self.edge.b


async def known_edges(connection: Connection, corp_id: str, pairs: Iterable[Pair], source: str) -> dict[Pair, Row]:
    """Those that are known: at; `said` whether this source has said so; `doubted` whether some evidence is revoked."""
    wanted = sorted(pairs)
    rows = await connection.fetch(
        """
        select e.from_id, e.to_id, e.at,
            e.source = $4 or exists (
                select
                from edge_evidence v
                where (v.corp_id, v.a_id, v.b_id, v.source) = ($1, e.from_id, e.to_id, $4)
            ) as said,
            exists (
                select
                from edge_evidence v
                where (v.corp_id, v.a_id, v.b_id) = ($1, e.from_id, e.to_id)
                  and v.revoked_at is not null
            ) as doubted
        from edges e
        where e.corp_id = $1
          and (e.from_id, e.to_id) in (select * from unnest($2::uuid[], $3::uuid[]))
        """,
        corp_id,
        [a for a, _ in wanted],
        [b for _, b in wanted],
        source,
    )
    return {(row["from_id"], row["to_id"]): row for row in rows}


async def reachable(connection: Connection, corp_id: str, ids: Iterable[str]) -> list[str]:
    """The identifiers and all that edges connect them to, not passing through crowds; sorted.

    It passes through refused edges: who is refused depends on who else is there, so that the whole neighbourhood
    decides. Each step goes to the index by row, which the lateral with its offset leaves the planner no choice about:
    it cannot guess how far a walk goes, and a wrong guess reads all edges of the corp.
    """
    rows = await connection.fetch(
        """
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
        select id
        from reach
        order by id
        """,
        corp_id,
        sorted(ids),
        CROWD,
    )
    return [row["id"] for row in rows]


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


async def links_of(connection: Connection, corp_id: str, ids: Sequence[str]) -> Sequence[Row]:
    """from_id, to_id, at and is_revoked of every edge that begins at one of the identifiers, wherever it leads; each
    edge lies both ways. And, with is_apart, pairs that are declared to be two people, one way."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select from_id, to_id, at, revoked_at is not null as is_revoked, false as is_apart
        from edges
        where corp_id = $1
          and from_id = any($2::uuid[])
        union all
        select a_id, b_id, declared_at, false, true
        from separations
        where corp_id = $1
          and a_id = any($2::uuid[])
          and undone_at is null
        """,
        corp_id,
        ids,
    )
    return rows


async def replace_conflicts(
    connection: Connection, corp_id: str, ids: Sequence[str], refused: Mapping[Edge, str]
) -> None:
    """The refused edges among the identifiers from now on, each with its reason."""
    await connection.execute(
        """
        delete from conflicts
        where corp_id = $1
          and from_id = any($2::uuid[])
          and to_id = any($2::uuid[])
        """,
        corp_id,
        ids,
    )
    ordered = sorted(refused)
    if ordered:
        await connection.execute(
            """
            insert into conflicts (corp_id, from_id, to_id, reason)
            select $1, *
            from unnest($2::uuid[], $3::uuid[], $4::text[])
            """,
            corp_id,
            [edge.a for edge in ordered],
            [edge.b for edge in ordered],
            [refused[edge] for edge in ordered],
        )
