"""Which identifiers are one person: the partition beside its brute-force referee, and what it promises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from identity.domain.customers import CROWD, Edge, name_people, partition
from identity.domain.policies import DEFAULTS
from tests.unit.identity import referee

MORNING = datetime(2026, 1, 5, tzinfo=UTC)
KINDS = ("unionid", "external_userid", "yz_open_id", "phone")

Link = tuple[str, str, int]
World = tuple[dict[str, str], list[Link], list[tuple[str, str]]]


def kind_of(one: str) -> str:
    return next(kind for kind in KINDS if kind.startswith(one[0]))


def world(links: Sequence[Link], apart: Sequence[tuple[str, str]] = ()) -> World:
    """Identifiers are spelled by their kind's first letter and a number: u1, e2, y3, p4."""
    names = {end for a, b, _ in links for end in (a, b)} | {one for pair in apart for one in pair}
    return {one: kind_of(one) for one in names}, list(links), list(apart)


names = st.builds(lambda kind, n: f"{kind[0]}{n}", st.sampled_from(KINDS), st.integers(0, 6))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    links = draw(st.lists(st.tuples(names, names, st.integers(0, 12)), max_size=30))
    # A phone of many: where crowds and their absence are decided.
    shared = draw(st.lists(st.tuples(names, st.just("p0"), st.integers(0, 12)), max_size=9))
    known = sorted({end for a, b, _ in links + shared for end in (a, b)}) or ["u0", "u1"]
    apart = draw(st.lists(st.tuples(st.sampled_from(known), st.sampled_from(known)), max_size=2))
    return world(
        [link for link in links + shared if link[0] != link[1]], [pair for pair in apart if len(set(pair)) == 2]
    )


def edges_of(links: Sequence[Link]) -> list[Edge]:
    return [Edge.between(a, b, MORNING + timedelta(seconds=s)) for a, b, s in links]


ONE_PERSON_WITH_FOUR_ACCOUNTS = world([(f"y{n}", "u1", n) for n in range(4)] + [(f"y{n}", "p1", n) for n in range(4)])
FOUR_ACCOUNTS_AND_NO_UNIONID = world([(f"y{n}", "p1", n) for n in range(4)])
SIX_ACCOUNTS_AND_NO_UNIONID = world([(f"y{n}", "p1", n) for n in range(6)])
FOUR_PERSONS = world([(f"e{n}", "p1", n) for n in range(4)])


@settings(max_examples=400)
@given(worlds())
@example(ONE_PERSON_WITH_FOUR_ACCOUNTS)
@example(FOUR_ACCOUNTS_AND_NO_UNIONID)
@example(SIX_ACCOUNTS_AND_NO_UNIONID)
@example(FOUR_PERSONS)
@example(world([(f"y{n}", "p1", 0) for n in range(CROWD + 1)]))
@example(world([("u1", "p1", 0), ("u2", "p1", 1), ("u3", "p1", 2), ("e1", "p1", 3)], [("u1", "e1")]))
def test_the_partition_is_what_the_referee_finds(drawn: World) -> None:
    kinds, links, apart = drawn
    result = partition(kinds, edges_of(links), apart=apart)
    ruling = referee.rule(kinds, [(MORNING + timedelta(seconds=s), a, b) for a, b, s in links], apart)
    assert sorted(sorted(one) for one in result.people) == ruling.people
    assert sorted(result.quarantined) == ruling.quarantined
    assert sorted((edge.a, edge.b) for edge in result.refused) == ruling.refused


@given(worlds(), st.randoms())
def test_order_and_repetition_of_edges_do_not_matter(drawn: World, random: object) -> None:
    kinds, links, apart = drawn
    shuffled = edges_of(links) * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert partition(kinds, shuffled, apart=apart) == partition(kinds, edges_of(links), apart=apart)


@given(worlds())
def test_nobody_has_more_of_a_kind_than_a_person_can(drawn: World) -> None:
    kinds, links, apart = drawn
    result = partition(kinds, edges_of(links), apart=apart)
    for person in result.people:
        for kind, policy in DEFAULTS.items():
            assert sum(kinds[one] == kind for one in person) <= policy.most_per_customer
        assert not any(set(pair) <= person for pair in apart)
    everyone = [one for person in result.people for one in person]
    assert sorted(everyone + list(result.quarantined)) == sorted(kinds)


def test_one_person_with_four_accounts_and_one_phone_stays_one_person() -> None:
    kinds, links, _ = ONE_PERSON_WITH_FOUR_ACCOUNTS
    assert partition(kinds, edges_of(links)).people == (frozenset(kinds),)
    kinds, links, _ = FOUR_ACCOUNTS_AND_NO_UNIONID
    assert partition(kinds, edges_of(links)).people == (frozenset(kinds),)


def test_a_phone_is_freed_when_its_crowd_turns_out_to_be_few() -> None:
    crowd = [(f"y{n}", "p1", 0) for n in range(6)]
    kinds, links, _ = world(crowd)
    assert partition(kinds, edges_of(links)).quarantined == {"p1"}
    kinds, links, _ = world([*crowd, ("y0", "u1", 9), ("y1", "u1", 9), ("y2", "u2", 9)])
    assert not partition(kinds, edges_of(links)).quarantined


def test_two_unionids_are_two_people_whatever_they_share() -> None:
    kinds, links, _ = world([("u1", "p1", 0), ("p1", "u2", 1)])
    result = partition(kinds, edges_of(links))
    assert set(result.people) == {frozenset({"u1", "p1"}), frozenset({"u2"})}
    assert [(edge.a, edge.b) for edge in result.refused] == [("p1", "u2")]


def test_a_phone_of_a_crowd_names_nobody() -> None:
    kinds, links, _ = FOUR_PERSONS
    result = partition(kinds, edges_of(links))
    assert result.quarantined == {"p1"}
    assert len(result.people) == 4


def test_what_lies_behind_a_refused_edge_can_change() -> None:
    """Why walks pass through refused edges: with the later news alone, u2 would never be looked at again."""
    first = [("y1", "u1", 2), ("y1", "p1", 3), ("p1", "u2", 4)]
    kinds, links, _ = world(first)
    assert [(edge.a, edge.b) for edge in partition(kinds, edges_of(links)).refused] == [("p1", "u2")]
    news = [("y1", "p2", 0), ("y1", "p3", 0), ("y1", "p4", 0)]  # y1 had three phones before it had p1
    kinds, links, _ = world([*first, *news])
    assert frozenset({"p1", "u2"}) in partition(kinds, edges_of(links)).people


def test_a_person_keeps_the_oldest_id_and_no_id_serves_two() -> None:
    merged = frozenset({"a", "b"})
    assert name_people([merged], {"a": "2", "b": "1"}) == {merged: "1"}
    left, right = frozenset({"a", "b"}), frozenset({"c"})
    assert name_people([left, right], {"a": "1", "b": "1", "c": "1"}) == {left: "1", right: None}
