"""Who is one person, by brute force: the rule's words taken literally, for worlds small enough for it.

It shares nothing with identity but the shape of its question. What is together is found anew after every edge, by
following links until nothing is added; limits are written out here a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

LIMIT = {"unionid": 1, "external_userid": 1, "yz_open_id": 5, "openid": 5, "phone": 3}
RANK = {"unionid": 1, "external_userid": 2, "yz_open_id": 3, "openid": 4, "phone": 5}
PERSONS_PER_VALUE = 3
LINKS_PER_VALUE = 20

Link = tuple[datetime, str, str]


class Ruling(NamedTuple):
    people: list[list[str]]
    quarantined: list[str]
    refused: list[tuple[str, str]]


def rule(kinds: Mapping[str, str], links: Iterable[Link], apart: Iterable[Collection[str]] = ()) -> Ruling:
    """`kinds`: id → kind. `links`: (time, id, id) in any order and number. `apart`: pairs that are two people."""
    said: dict[frozenset[str], datetime] = {}
    for at, one, other in links:
        pair = frozenset((one, other))
        if len(pair) == 2:
            said[pair] = min(at, said.get(pair, at))
    degree = Counter(end for pair in said for end in pair)
    crowds = {one for one in kinds if degree[one] > LINKS_PER_VALUE}
    rulings = [Ruling([], sorted(crowds), [])]
    for island in islands(set(kinds) - crowds, said):
        rulings.append(rule_island({one: kinds[one] for one in island}, said, apart))
    return Ruling(*(sorted(one for ruling in rulings for one in ruling[part]) for part in range(3)))  # type: ignore[arg-type]


def islands(among: set[str], said: Iterable[frozenset[str]]) -> list[set[str]]:
    """What no link joins has nothing to do with each other."""
    beside: dict[str, set[str]] = {one: {one} for one in among}
    for pair in said:
        if pair <= among:
            for end in pair:
                beside[end] |= pair
    found: list[set[str]] = []
    left = set(among)
    while left:
        island, front = set[str](), {left.pop()}
        while front:
            island |= front
            front = {other for one in front for other in beside[one]} - island
        left -= island
        found.append(island)
    return found


def rule_island(
    kinds: Mapping[str, str], said: Mapping[frozenset[str], datetime], apart: Iterable[Collection[str]]
) -> Ruling:
    phones = {one for one in kinds if kinds[one] == "phone"}
    here = {pair: at for pair, at in said.items() if pair <= set(kinds)}
    nobody = {phone for phone in phones if is_crowded(phone, kinds, here, phones, apart)}
    named = {one for one in kinds if one not in nobody}
    taken, refused = grow(kinds, named, here, apart)
    people = {frozenset(together(one, taken)) for one in named}
    return Ruling([sorted(one) for one in people], sorted(nobody), refused)


def is_crowded(
    phone: str,
    kinds: Mapping[str, str],
    said: Mapping[frozenset[str], datetime],
    left_out: set[str],
    apart: Iterable[Collection[str]],
) -> bool:
    accounts = {one for one in kinds if one not in left_out}
    taken, _ = grow(kinds, accounts, said, apart)
    persons = {frozenset(together(one, taken)) for one in accounts if frozenset((one, phone)) in said}
    certain = [one for one in persons if any(kinds[part] in ("unionid", "external_userid") for part in one)]
    others = Counter(kinds[part] for one in persons if one not in certain for part in one)
    return len(certain) > PERSONS_PER_VALUE or any(others[kind] > LIMIT[kind] for kind in others)


def grow(
    kinds: Mapping[str, str],
    among: set[str],
    said: Mapping[frozenset[str], datetime],
    apart: Iterable[Collection[str]],
) -> tuple[list[frozenset[str]], list[tuple[str, str]]]:
    """The links that hold, and those that are refused."""

    def turn(pair: frozenset[str]) -> tuple[datetime, int, list[str]]:
        return said[pair], max(RANK[kinds[end]] for end in pair), sorted(pair)

    taken: list[frozenset[str]] = []
    refused: list[tuple[str, str]] = []
    for pair in sorted((pair for pair in said if pair <= among), key=turn):
        person = together(min(pair), [*taken, pair])
        held = Counter(kinds[one] for one in person)
        if all(held[kind] <= LIMIT[kind] for kind in held) and not any(set(two) <= person for two in apart):
            taken.append(pair)
        else:
            low, high = sorted(pair)
            refused.append((low, high))
    return taken, refused


def together(one: str, taken: Iterable[frozenset[str]]) -> set[str]:
    """All that links lead to."""
    links = list(taken)
    found = {one}
    while True:
        more = {end for pair in links if pair & found for end in pair} - found
        if not more:
            return found
        found |= more
