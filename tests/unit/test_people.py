"""Which identifiers are one person: invariants of the partition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from identity.domain.people import MOST_LINKS, MOST_PER_PERSON, Edge, name_people, partition

MORNING = datetime(2026, 1, 5, tzinfo=UTC)
KINDS = ("unionid", "external_userid", "yz_open_id", "phone")
nodes = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 6)), min_size=2, max_size=14, unique=True)


def name(node: tuple[str, int]) -> str:
    return f"{node[0]}:{node[1]}"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, str], list[Edge]]:
    drawn = draw(nodes)
    kinds = {name(node): node[0] for node in drawn}
    ends = st.sampled_from(sorted(kinds))
    pairs = draw(st.lists(st.tuples(ends, ends, st.integers(0, 20)), max_size=25))
    return kinds, [Edge.between(a, b, MORNING + timedelta(seconds=s)) for a, b, s in pairs if a != b]


@given(graphs(), st.randoms())
def test_order_and_repetition_of_edges_do_not_matter(graph: tuple[dict[str, str], list[Edge]], random: object) -> None:
    kinds, edges = graph
    shuffled = edges * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert partition(kinds, shuffled) == partition(kinds, edges)


@given(graphs())
def test_nobody_has_more_of_a_kind_than_a_person_can(graph: tuple[dict[str, str], list[Edge]]) -> None:
    kinds, edges = graph
    result = partition(kinds, edges)
    for person in result.people:
        for kind, most in MOST_PER_PERSON.items():
            assert sum(kinds[one] == kind for one in person) <= most
    everyone = [one for person in result.people for one in person]
    assert sorted(everyone + list(result.quarantined)) == sorted(kinds)


@given(graphs())
def test_an_edge_is_kept_refused_or_quarantined(graph: tuple[dict[str, str], list[Edge]]) -> None:
    kinds, edges = graph
    result = partition(kinds, edges)
    person_of = {one: person for person in result.people for one in person}
    refused = {(edge.a, edge.b) for edge in result.refused}
    for edge in edges:
        if edge.a in result.quarantined or edge.b in result.quarantined:
            continue
        together = person_of[edge.a] is person_of[edge.b]
        assert together or (edge.a, edge.b) in refused


def test_two_unionids_are_two_people_whatever_they_share() -> None:
    kinds = {"u1": "unionid", "u2": "unionid", "p": "phone"}
    result = partition(kinds, [Edge.between("u1", "p", MORNING), Edge.between("p", "u2", MORNING + timedelta(1))])
    assert set(result.people) == {frozenset({"u1", "p"}), frozenset({"u2"})}
    assert [(edge.a, edge.b) for edge in result.refused] == [("p", "u2")]


def test_a_phone_of_a_crowd_names_nobody() -> None:
    crowd = [f"w{i}" for i in range(MOST_LINKS["phone"] + 1)]
    kinds = dict.fromkeys(crowd, "external_userid") | {"p": "phone"}
    result = partition(kinds, [Edge.between(one, "p", MORNING) for one in crowd])
    assert result.quarantined == {"p"}
    assert len(result.people) == len(crowd)


def test_a_person_keeps_the_oldest_id_and_no_id_serves_two() -> None:
    merged = frozenset({"a", "b"})
    assert name_people([merged], {"a": "2", "b": "1"}) == {merged: "1"}
    left, right = frozenset({"a", "b"}), frozenset({"c"})
    assert name_people([left, right], {"a": "1", "b": "1", "c": "1"}) == {left: "1", right: None}
