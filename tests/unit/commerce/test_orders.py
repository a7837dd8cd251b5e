"""Orders are functions of the set of their messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commerce.domain.orders import FACETS, Facet, fold

EMPTY = {f"{name}_rank": None for name in FACETS} | {"buyer_id": None}
facets = st.lists(
    st.builds(
        lambda name, version, value: Facet(name, version, f"{name}{version}{value}", {f"{name}_at": value}),
        st.sampled_from(["detail", "paid", "shipped"]),
        st.integers(0, 5),
        st.integers(0, 3),
    ),
    max_size=10,
)


@given(facets, facets)
def test_an_order_is_the_same_whatever_order_its_messages_came_in(first: list[Facet], second: list[Facet]) -> None:
    at_once = EMPTY | fold(EMPTY, first + second)
    step = EMPTY | fold(EMPTY, second)
    assert step | fold(step, first + second) == at_once


def test_a_message_that_names_no_buyer_does_not_take_them_away() -> None:
    named = [Facet("detail", 1, "a", {"total_fen": 1}), Facet("buyer", 1, "a", {"buyer_id": "x"})]
    silent = [Facet("detail", 2, "b", {"total_fen": 2})]
    for messages in (named + silent, silent + named):
        assert (EMPTY | fold(EMPTY, messages))["buyer_id"] == "x"


def test_a_buyer_whom_a_release_before_wrote_is_as_old_as_the_detail() -> None:
    row = EMPTY | {"buyer_id": "x", "detail_rank": Facet("detail", 3, "a", {}).rank}
    assert fold(row, [Facet("buyer", 2, "b", {"buyer_id": "y"})]) == {}
    assert fold(row, [Facet("buyer", 4, "c", {"buyer_id": "z"})])["buyer_id"] == "z"
