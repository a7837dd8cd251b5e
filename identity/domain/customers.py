"""Which identifiers are one person: a function of the set of edges, whatever order they came in.

1. A value with more than `CROWD` links is a crowd, and a value that its kind's policy denies is a placeholder: they
   name nobody.
2. A shared value (a phone) is quarantined when those it is linked to are too many persons. They are counted by what
   accounts alone say: more persons with a strong identifier than the policy allows, or more accounts without one than
   one person may have. One person with four shops' accounts and one phone is no crowd.
3. Edges are taken in the order (time, priority of the weaker end, ids), those of values that name nobody left out. One
   that would give a person more of a kind than the policy allows is refused: two unionids are two people, however many
   phones they share. So is one that would join two that somebody has declared to be two people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from identity.domain.policies import Policies

# Links of one value that are looked at. What has more names nobody, for good, and is never walked through.
CROWD = 20
# Kinds of accounts: each that a person has beyond the first was a merge.
ACCOUNTS = ("external_userid", "yz_open_id")

TOO_MANY, APART = "TOO_MANY_OF_A_KIND", "DECLARED_APART"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`a` < `b`, both identifier ids."""

    at: datetime
    a: str
    b: str

    @classmethod
    def between(cls, one: str, other: str, at: datetime) -> Edge:
        return cls(at, min(one, other), max(one, other))


@dataclass(frozen=True, slots=True)
class Partition:
    people: tuple[frozenset[str], ...]
    quarantined: frozenset[str]
    # Each refused edge with its reason.
    refused: Mapping[Edge, str]


def partition(
    kinds: Mapping[str, str],
    edges: Iterable[Edge],
    links: Mapping[str, int] | None = None,
    *,
    policies: Policies | None = None,
    apart: Iterable[Pair] = (),
) -> Partition:
    """Splits the identifiers of `kinds` (id → kind) into people. Every edge must lie inside `kinds`.

    `links` counts all links of an identifier, also those to crowds, which are not among `kinds`; without it the edges
    are all there is. `apart`: pairs that somebody has declared to be two people.
    """
    policies = policies or Policies()
    pairs = frozenset((min(pair), max(pair)) for pair in apart)
    earliest: dict[Pair, Edge] = {}
    for edge in edges:
        known = earliest.get((edge.a, edge.b))
        if known is None or edge.at < known.at:
            earliest[edge.a, edge.b] = edge
    if links is None:
        links = Counter(end for pair in earliest for end in pair)

    own = {kind: policies.of(kind) for kind in set(kinds.values())}

    def order(edge: Edge) -> tuple[datetime, int, str, str]:
        return edge.at, max(own[kinds[edge.a]].priority, own[kinds[edge.b]].priority), edge.a, edge.b

    ordered = sorted(earliest.values(), key=order)
    nobody = {one for one, kind in kinds.items() if links.get(one, 0) > CROWD or one in own[kind].denied}
    ordered = [edge for edge in ordered if edge.a not in nobody and edge.b not in nobody]
    crowded = _crowded({one: kind for one, kind in kinds.items() if one not in nobody}, ordered, policies, pairs)
    named = {one: kind for one, kind in kinds.items() if one not in nobody and one not in crowded}
    groups = _Groups(named, policies, pairs)
    refused = groups.join(edge for edge in ordered if edge.a in named and edge.b in named)
    return Partition(groups.all(), frozenset(nobody | crowded), refused)


def _crowded(
    kinds: Mapping[str, str], ordered: Iterable[Edge], policies: Policies, apart: frozenset[Pair]
) -> frozenset[str]:
    """Shared values whose links are too many persons by what accounts alone say."""
    are_shared = {kind: policies.of(kind).is_shared for kind in set(kinds.values())}
    accounts = {one: kind for one, kind in kinds.items() if not are_shared[kind]}
    neighbours: dict[str, set[str]] = {}
    between_accounts = []
    for edge in ordered:
        if edge.a in accounts and edge.b in accounts:
            between_accounts.append(edge)
        elif edge.a in accounts or edge.b in accounts:
            account, shared = (edge.a, edge.b) if edge.a in accounts else (edge.b, edge.a)
            neighbours.setdefault(shared, set()).add(account)
    # One account alone is one person.
    neighbours = {shared: linked for shared, linked in neighbours.items() if len(linked) > 1}
    if not neighbours:
        return frozenset()
    persons = _Groups(accounts, policies, apart)
    persons.join(between_accounts)
    return frozenset(
        shared
        for shared, linked in neighbours.items()
        if persons.are_too_many({persons.root(one) for one in linked}, policies.of(kinds[shared]).most_customers)
    )


class _Groups:
    """Identifiers grow together, edge by edge, within what the policies allow."""

    def __init__(self, kinds: Mapping[str, str], policies: Policies, apart: frozenset[Pair]) -> None:
        self._kinds, self._policies = kinds, policies
        self._apart = [(a, b) for a, b in sorted(apart) if a in kinds and b in kinds]
        self._parent = {one: one for one in kinds}
        self._counts = {one: {kind: 1} for one, kind in kinds.items()}
        self._most = {kind: policies.of(kind).most_per_customer for kind in set(kinds.values())}

    def root(self, one: str) -> str:
        while self._parent[one] != one:
            self._parent[one] = self._parent[self._parent[one]]
            one = self._parent[one]
        return one

    def join(self, ordered: Iterable[Edge]) -> dict[Edge, str]:
        """Returns the edges that were refused, with their reasons."""
        refused = {}
        for edge in ordered:
            a, b = self.root(edge.a), self.root(edge.b)
            if a == b:
                continue
            here, there = self._counts[a], self._counts[b]
            together = {kind: here.get(kind, 0) + count for kind, count in there.items()}
            if any(count > self._most[kind] for kind, count in together.items()):
                refused[edge] = TOO_MANY
            elif any({self.root(x), self.root(y)} == {a, b} for x, y in self._apart):
                refused[edge] = APART
            else:
                self._parent[b] = a
                here.update(together)
        return refused

    def are_too_many(self, roots: Iterable[str], most: int) -> bool:
        """Whether the groups are more than `most` persons with a strong identifier, or have more accounts without one
        than one person may."""
        strong, weak = 0, Counter[str]()
        for one in roots:
            if any(self._policies.of(kind).is_strong for kind in self._counts[one]):
                strong += 1
            else:
                weak += self._counts[one]
        return strong > most or any(count > self._most[kind] for kind, count in weak.items())

    def all(self) -> tuple[frozenset[str], ...]:
        groups: dict[str, set[str]] = {}
        for one in self._kinds:
            groups.setdefault(self.root(one), set()).add(one)
        return tuple(sorted((frozenset(group) for group in groups.values()), key=min))


def name_people(people: Iterable[frozenset[str]], before: Mapping[str, str | None]) -> dict[frozenset[str], str | None]:
    """Which customer id each person keeps: the oldest that its identifiers had, each id at most once.

    `before` maps identifier ids to the customer ids they had; ids are UUIDv7, so the smallest is the oldest. After a
    split the larger part keeps the id. None means that the person needs a new one.
    """
    taken: set[str] = set()
    names: dict[frozenset[str], str | None] = {}
    for group in sorted(people, key=lambda g: (-len(g), min(g))):
        candidates = {before[one] for one in group if before.get(one)} - taken
        name = min((c for c in candidates if c is not None), default=None)
        names[group] = name
        if name is not None:
            taken.add(name)
    return names


def likely_customers(
    new: Iterable[str], owners: Mapping[str, str | None], links: Iterable[Pair], make: Callable[[], str]
) -> dict[str, str]:
    """Which customer each new identifier most likely has: the oldest that those have to which `links` connect it, or
    else one made for all of them. `owners`: known identifier → customer."""
    parent: dict[str, str] = {}

    def root(one: str) -> str:
        while (above := parent.get(one, one)) != one:
            one = above
        return one

    for a, b in links:
        one, other = root(a), root(b)
        parent[max(one, other)] = min(one, other)
    found: dict[str, str] = {}
    for one, owner in owners.items():
        if owner and (group := root(one)):
            found[group] = min(found.get(group, owner), owner)
    likely = {}
    for one in new:
        group = root(one)
        if group not in found:
            found[group] = make()
        likely[one] = found[group]
    return likely
