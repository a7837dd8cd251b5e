"""Under which userid a member is known now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.renames import Rename, known_as


def at(hour: int) -> datetime:
    return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=hour)


CHAIN = [Rename(at(1), "a", "b"), Rename(at(2), "b", "c")]
CIRCLE = [Rename(at(1), "a", "b"), Rename(at(2), "b", "a")]
# The userid that became free was given to somebody new, who was renamed as well.
REUSED = [Rename(at(1), "a", "b"), Rename(at(5), "a", "z")]


@pytest.mark.parametrize(
    ("userid", "hour", "renames", "present"),
    [
        ("a", 0, [], "a"),
        ("a", 0, CHAIN, "c"),
        ("b", 2, CHAIN, "c"),
        ("b", 3, CHAIN, "b"),
        ("a", 0, CIRCLE, "a"),
        ("b", 0, CIRCLE, "a"),
        ("a", 0, REUSED, "b"),
        ("a", 1, REUSED, "b"),
        ("a", 3, REUSED, "z"),
        ("a", 6, REUSED, "a"),
        # As identity says it again, when more of the chain is known.
        ("a", 0, [*CHAIN, Rename(at(1), "a", "c")], "c"),
        ("a", 0, [*CIRCLE, Rename(at(1), "a", "a")], "a"),
    ],
)
def test_a_member_is_known_by_the_end_of_their_renames(
    userid: str, hour: int, renames: list[Rename], present: str
) -> None:
    assert known_as(userid, at(hour), renames) == present
    assert known_as(userid, at(hour), reversed(renames)) == present


members = st.sampled_from("abc")


@given(
    st.lists(st.builds(Rename, st.integers(0, 5).map(at), members, members), max_size=6),
    members,
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_it_ends_and_is_a_function_of_the_set(renames: list[Rename], userid: str, hour: int, random: Random) -> None:
    shuffled = renames * 2
    random.shuffle(shuffled)
    assert known_as(userid, at(hour), set(shuffled)) == known_as(userid, at(hour), set(renames))
