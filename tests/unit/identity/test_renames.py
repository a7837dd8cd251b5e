"""Under which userid a member is known now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from identity.domain.renames import Rename, known_as

MORNING = datetime(2026, 1, 5, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return MORNING + timedelta(seconds=seconds)


CHAIN = [Rename(at(10), "a", "b"), Rename(at(20), "b", "c")]


def test_what_was_said_before_a_rename_is_the_present_members() -> None:
    assert known_as("a", at(5), CHAIN) == "c"
    assert known_as("a", at(10), CHAIN) == "c"
    assert known_as("b", at(15), CHAIN) == "c"
    assert known_as("c", at(5), CHAIN) == "c"


def test_who_takes_a_freed_userid_is_somebody_else() -> None:
    assert known_as("a", at(11), CHAIN) == "a"
    assert known_as("a", at(11), [*CHAIN, Rename(at(30), "a", "d")]) == "d"
    assert known_as("a", at(5), [*CHAIN, Rename(at(30), "a", "d")]) == "c"


def test_who_gets_their_former_userid_back_has_it() -> None:
    back = [Rename(at(10), "a", "b"), Rename(at(20), "b", "a")]
    assert known_as("a", at(5), back) == "a"
    assert known_as("b", at(5), back) == "a"
    assert known_as("a", at(25), back) == "a"


members = st.sampled_from("abc")


@given(
    st.lists(st.builds(Rename, st.integers(0, 5).map(at), members, members), max_size=6),
    members,
    st.integers(0, 5),
    st.randoms(),
)
def test_it_ends_and_is_a_function_of_the_set(renames: list[Rename], userid: str, when: int, random: object) -> None:
    shuffled = renames * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert known_as(userid, at(when), set(shuffled)) == known_as(userid, at(when), set(renames))
