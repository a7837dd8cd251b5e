"""When a welcome goes, and with which code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.domain.welcomes import CODE_LIVES, Sibling, is_certain, siblings_of, waits_until

ARRIVED = datetime(2026, 1, 5, 12, 0, 20, tzinfo=UTC)
PATIENCE = timedelta(seconds=5)


def before(seconds: float) -> datetime:
    return ARRIVED - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("age", "left"),
    [
        (0, 5),
        (3, 2),
        # Sent again 16 s after the event: it goes at once.
        (16, -11),
        (20, -15),
        # By its clock the code cannot be alive, or has not happened yet: the clocks differ.
        (21, 5),
        (86400, 5),
        (-1, 5),
    ],
)
def test_patience_goes_by_the_age_of_the_code(age: float, left: float) -> None:
    assert waits_until(before(age), ARRIVED, PATIENCE) == ARRIVED + timedelta(seconds=left)


@given(st.floats(-100, 100))
def test_nobody_waits_longer_than_patience_from_the_arrival(age: float) -> None:
    assert waits_until(before(age), ARRIVED, PATIENCE) <= ARRIVED + PATIENCE < ARRIVED + CODE_LIVES


@pytest.mark.parametrize(
    ("status", "errcode", "welcomed"),
    [
        ("OPEN", None, True),
        ("SENT", 0, True),
        ("REFUSED", 41051, True),
        ("REFUSED", 40003, False),
        ("LATE", 41050, False),
        ("ANOTHER_CODE", None, False),
        ("WITHOUT_RULE", None, False),
    ],
)
def test_a_code_says_whether_its_customer_was_welcomed(status: str, errcode: int | None, welcomed: bool) -> None:
    assert Sibling(ARRIVED, status, errcode).was_welcomed is welcomed


def test_codes_of_one_add_come_within_the_life_of_a_code() -> None:
    codes = [Sibling(before(seconds), "OPEN", None) for seconds in (-21, -20, 0, 20, 21)]
    assert siblings_of(ARRIVED, codes) == codes[1:4]


def test_a_rivals_call_says_that_ours_sent_nothing() -> None:
    assert is_certain(41096)
    assert is_certain(45009)
    assert not is_certain(-1)
