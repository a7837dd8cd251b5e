"""Which adds are one, who is new, who returns, and through which code."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.domain.touches import (
    CONFIRMED,
    CONFIRMED_WITHIN,
    NEW,
    RETURNING,
    TOLD_WITHIN,
    Add,
    Code,
    kinds_of,
    occasions_of,
    route,
)

MORNING = datetime(2026, 1, 5, tzinfo=UTC)
DAY = 86400


def at(seconds: int) -> datetime:
    return MORNING + timedelta(seconds=seconds)


def add(name: str, seconds: int, *, userid: str = "anna", provisional: bool = False, code: str | None = None) -> Add:
    return Add(name, userid, provisional, code, at(seconds))


def kinds(*adds: Add) -> dict[str, str]:
    """The kinds, which no order of the adds changes."""
    found = kinds_of(occasions_of(adds))
    for order in itertools.permutations(adds):
        assert kinds_of(occasions_of(order)) == found
    return found


def test_only_the_first_add_is_new_and_a_confirmation_is_no_return() -> None:
    assert kinds(
        add("half", 0, provisional=True),
        add("full", 3),
        add("again", 9, userid="bob"),
    ) == {"half": NEW, "full": CONFIRMED, "again": RETURNING}


def test_a_member_may_take_days_to_confirm() -> None:
    assert kinds(add("half", 0, provisional=True), add("full", 3 * DAY)) == {"half": NEW, "full": CONFIRMED}


def test_an_add_that_was_never_confirmed_does_not_swallow_the_next_one() -> None:
    """A provisional add, a deletion, and on day 30 a scan of another channel's code."""
    assert kinds(
        add("half", 0, provisional=True, code="a"),
        add("rescan", 30 * DAY, code="b"),
    ) == {"half": NEW, "rescan": RETURNING}


def test_another_code_is_another_add_even_within_the_week() -> None:
    assert kinds(
        add("half", 0, provisional=True, code="a"),
        add("rescan", DAY, code="b"),
    ) == {"half": NEW, "rescan": RETURNING}


def test_a_confirmation_confirms_only_once() -> None:
    assert kinds(
        add("half", 0, provisional=True),
        add("full", 60),
        add("rescan", 2 * DAY),
    ) == {"half": NEW, "full": CONFIRMED, "rescan": RETURNING}


@pytest.mark.parametrize("seconds", [0, 1, 2])
def test_a_full_add_and_its_half_are_one_whichever_second_is_first(seconds: int) -> None:
    assert sorted(kinds(add("full", 0), add("half", seconds, provisional=True)).values()) == [CONFIRMED, NEW]
    assert sorted(kinds(add("full", seconds), add("half", 0, provisional=True)).values()) == [CONFIRMED, NEW]


def test_the_same_add_told_to_two_apps_is_one() -> None:
    assert kinds(add("app 1", 0), add("app 2", 0)) == {"app 1": NEW, "app 2": CONFIRMED}
    assert kinds(
        add("half 1", 0, provisional=True),
        add("half 2", 0, provisional=True),
        add("full 1", 60),
        add("full 2", 61),
    ) == {"half 1": NEW, "half 2": CONFIRMED, "full 1": CONFIRMED, "full 2": CONFIRMED}


def test_two_members_at_the_same_second_are_two_adds() -> None:
    assert kinds(add("a", 0), add("b", 0, userid="bob")) == {"a": NEW, "b": RETURNING}


adds = st.lists(
    st.builds(
        Add,
        st.uuids().map(str),
        st.sampled_from(["anna", "bob"]),
        st.booleans(),
        st.sampled_from([None, None, "a", "b"]),
        st.one_of(st.integers(0, 12), st.integers(0, 20 * DAY)).map(at),
    ),
    max_size=9,
    unique_by=lambda one: one.touch_id,
)


@given(adds, st.randoms())
def test_kinds_follow_from_the_set_alone(one: list[Add], random: object) -> None:
    shuffled = list(one)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = kinds_of(occasions_of(one))
    assert kinds_of(occasions_of(shuffled)) == found
    assert found.keys() == {add.touch_id for add in one}
    assert list(found.values()).count(NEW) == bool(one)


@given(adds)
def test_what_is_not_counted_has_a_reason_and_what_is_counted_stands_apart(one: list[Add]) -> None:
    for occasion in occasions_of(one):
        first, *others = occasion.adds
        for other in others:
            gap = other.added_at - first.added_at
            assert other.userid == first.userid
            assert gap <= TOLD_WITHIN or (first.provisional and gap <= CONFIRMED_WITHIN + TOLD_WITHIN)
    for userid in ("anna", "bob"):
        counted = [occasion.counted.added_at for occasion in occasions_of(one) if occasion.counted.userid == userid]
        assert all(later - earlier > TOLD_WITHIN for earlier, later in itertools.pairwise(counted))


@pytest.mark.parametrize(
    ("state", "reason"), [("", "ABSENT"), ("nobody", "UNKNOWN"), ("paused", "STALE"), ("good", None)]
)
def test_an_add_is_routed_by_its_state(state: str, reason: str | None) -> None:
    codes = {"good": Code("1", "c", None), "paused": Code("2", "c", at(5))}
    code, fallback = route(state, codes, at(6))
    assert fallback == reason
    assert (code is None) == (reason is not None)


def test_an_add_before_the_pause_still_counts_for_the_code() -> None:
    code, fallback = route("paused", {"paused": Code("2", "c", at(5))}, at(4))
    assert code is not None
    assert fallback is None
