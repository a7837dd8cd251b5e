"""Which identifiers are one person: a function of the set of edges, whatever order they came in.

Edges are taken in the order (time, ids). One that would give a person more identifiers of a kind than a person can
have is refused and recorded: two unionids are two people, however many phones they share. A value that links to more
others than a person's value can is quarantined: it names nobody, and its edges count for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

# How many identifiers of a kind one person may have.
MOST_PER_PERSON: Mapping[str, int] = {"unionid": 1, "external_userid": 1, "yz_open_id": 5, "openid": 5, "phone": 3}
MOST_OF_AN_UNKNOWN_KIND = 5
# How many other identifiers one value may be linked to.
MOST_LINKS: Mapping[str, int] = {"phone": 3}
MOST_LINKS_OF_OTHER_KINDS = 20
# Kinds that are an account of their own; what a person has beyond the first was merged.
ACCOUNTS = ("external_userid", "yz_open_id")


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
    refused: tuple[Edge, ...]


def most_links(kind: str) -> int:
    return MOST_LINKS.get(kind, MOST_LINKS_OF_OTHER_KINDS)


def partition(kinds: Mapping[str, str], edges: Iterable[Edge], links: Mapping[str, int] | None = None) -> Partition:
    """Splits the identifiers of `kinds` (id → kind) into people. Every edge must lie inside `kinds`.

    `links` counts all links of an identifier, also those to values that are not among `kinds` since they are
    quarantined; without it the edges are all there is.
    """
    earliest: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        known = earliest.get((edge.a, edge.b))
        if known is None or edge.at < known.at:
            earliest[edge.a, edge.b] = edge
    if links is None:
        links = Counter(end for pair in earliest for end in pair)
    quarantined = frozenset(one for one, count in links.items() if count > most_links(kinds[one]))

    parent = {one: one for one in kinds}
    counts = {one: Counter({kind: 1}) for one, kind in kinds.items()}

    def root(one: str) -> str:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    refused = []
    for edge in sorted(earliest.values()):
        if edge.a in quarantined or edge.b in quarantined:
            continue
        a, b = root(edge.a), root(edge.b)
        if a == b:
            continue
        together = counts[a] + counts[b]
        if any(count > MOST_PER_PERSON.get(kind, MOST_OF_AN_UNKNOWN_KIND) for kind, count in together.items()):
            refused.append(edge)
            continue
        if len(counts[a]) < len(counts[b]):
            a, b = b, a
        parent[b], counts[a] = a, together
    groups: dict[str, set[str]] = {}
    for one in kinds:
        if one not in quarantined:
            groups.setdefault(root(one), set()).add(one)
    people = sorted((frozenset(group) for group in groups.values()), key=min)
    return Partition(tuple(people), quarantined, tuple(refused))


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
