"""When poisons of a corp are too many in a row."""

from __future__ import annotations

from chassis.parking import POISONS_IN_A_ROW, Lane

BAD, GOOD = "ww-bad", "ww-good"


def test_a_success_of_the_corp_begins_the_count_anew_though_others_succeed_between() -> None:
    lane = Lane("t-lane")
    for _ in range(3 * POISONS_IN_A_ROW):
        assert not lane.poisoned(BAD)
        lane.succeeded({GOOD})
        lane.succeeded({BAD})


def test_successes_of_other_corps_do_not_hide_that_a_corp_has_none() -> None:
    lane = Lane("t-lane")
    parked = []
    for _ in range(POISONS_IN_A_ROW):
        parked.append(lane.poisoned(BAD))
        lane.succeeded({GOOD})
    assert parked == [False] * (POISONS_IN_A_ROW - 1) + [True]
