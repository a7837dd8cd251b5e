"""What decides who is one person: all that edges connect, read under its locks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row
from identity.db import edges, policies
from identity.domain.customers import Edge, Pair, Partition, partition
from identity.domain.policies import Policies


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """All that edges connect, crowds left out, and what is said of it: enough to decide who is one person."""

    kinds: Mapping[str, str]
    # Those that count, each with its earliest time.
    edges: Mapping[Pair, datetime]
    # Links of each identifier, those to crowds and revoked ones included.
    degrees: Mapping[str, int]
    apart: Sequence[Pair]
    # Edges that are refused by now, and why.
    refused: Mapping[Pair, str]
    # The corp's, as they are under the locks.
    policies: Policies
    # False: an edge leads out of it.
    is_whole: bool

    def people(self, policies: Policies | None = None) -> Partition:
        """By the corp's policies, or by others."""
        found = [Edge(at, a, b) for (a, b), at in self.edges.items()]
        return partition(self.kinds, found, self.degrees, policies=policies or self.policies, apart=self.apart)


async def read_neighbourhood(
    connection: Connection,
    corp_id: str,
    rows: Mapping[str, Row],
    added: Set[str] = frozenset(),
    news: Sequence[Edge] = (),
) -> Neighbourhood:
    """Of the identifiers in `rows`, which may be locked. `added`: those of them that this transaction has inserted,
    of which nobody knows anything. `news`: edges between them that are yet to be written."""
    # A crowd names nobody from then on, and its edges are not even looked at.
    suspects = [one for one in sorted(rows) if rows[one]["quarantined"]]
    crowds = await edges.crowds(connection, corp_id, suspects) if suspects else set()
    kinds = {one: row["kind"] for one, row in rows.items() if one not in crowds}
    links = await edges.links_of(connection, corp_id, sorted(kinds.keys() - added), sorted(rows.keys() - added))
    has_policies = links[0]["has_policies"] if links else True

    counting: dict[Pair, datetime] = {}
    idle, apart, refused = set[Pair](), list[Pair](), dict[Pair, str]()
    degrees, is_whole = Counter[str](), True
    for row in links:
        pair = row["from_id"], row["to_id"]
        if row["what"] == edges.APART:
            apart.append(pair)
        elif row["what"] == edges.REFUSED:
            if pair[1] in rows:
                refused[pair] = row["reason"]
        else:
            degrees[pair[0]] += 1
            if row["is_revoked"] or pair[1] in crowds:
                idle |= {pair, pair[::-1]}
            elif pair[1] not in rows:
                is_whole = False
            elif pair[0] < pair[1]:
                counting[pair] = row["at"]
    for edge in news:
        pair = edge.a, edge.b
        if pair not in counting and pair not in idle:
            degrees.update(pair)
        if pair not in idle and edge.a in kinds and edge.b in kinds:
            counting[pair] = min(edge.at, counting.get(pair, edge.at))
    own = await policies.of_corp(connection, corp_id) if has_policies else Policies()
    return Neighbourhood(kinds, counting, degrees, apart, refused, own, is_whole)
