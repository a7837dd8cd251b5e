"""The referee is tested by mutation: a world that differs in one thing must fail the run."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local import referee
from deploy.local.story import compare
from deploy.sandbox.log import log_file
from deploy.sandbox.replay import FEATURES

TODAY = date(2026, 11, 22)
LOG = log_file().read_text()
LINES = LOG.splitlines()
TRUTH = referee.figures(LOG, TODAY)
line_numbers = st.integers(0, len(LINES) - 1)


def wrong(suite: dict[str, int]) -> list[str]:
    """Names of the figures that differ from what the true log demands."""
    return [figure["name"] for figure in compare(suite, TRUTH) if not figure["equal"]]


def failing(lines: list[str]) -> list[str]:
    """Of a suite that lived through `lines`."""
    return wrong(referee.figures("\n".join(lines), TODAY))


@cache
def true_world() -> dict[str, Any]:
    return dict(referee.world(LOG, TODAY))


def a_copy(*names: str) -> dict[str, Any]:
    """The true world, of which these parts may be changed."""
    return {**true_world(), **{name: copy.deepcopy(true_world()[name]) for name in names}}


def with_field(line: str, position: int, value: str) -> str:
    fields = line.split()
    fields[position] = value
    return " ".join(fields)


def test_the_log_is_the_log() -> None:
    assert TRUTH["people"] == 2357
    assert TRUTH["repeat_buyers"] == 1152
    assert TRUTH["gmv_paid"] == 24409194 + 50 * 6600
    assert not failing(LINES)


@settings(max_examples=15)
@given(line_numbers)
def test_a_dropped_order_fails_the_run(number: int) -> None:
    assert failing(LINES[:number] + LINES[number + 1 :])


@settings(max_examples=15)
@given(line_numbers)
def test_a_doubled_order_fails_the_run(number: int) -> None:
    assert failing([*LINES, LINES[number]])


@settings(max_examples=15)
@given(line_numbers)
def test_one_fen_fails_the_run(number: int) -> None:
    amount = f"{float(LINES[number].split()[4]) + 0.01:.2f}"
    assert failing([*LINES[:number], with_field(LINES[number], 4, amount), *LINES[number + 1 :]])


@settings(max_examples=15)
@given(line_numbers, st.integers(1, 2357))
def test_an_order_of_another_buyer_fails_the_run(number: int, buyer: int) -> None:
    if int(LINES[number].split()[1]) == buyer:
        buyer = buyer % 2357 + 1
    assert failing([*LINES[:number], with_field(LINES[number], 1, f"{buyer:04d}"), *LINES[number + 1 :]])


def test_the_former_employee_of_a_handed_over_customer_fails_the_run() -> None:
    changed = a_copy("relations")
    taken = [one for one in changed["relations"] if one["buyer"] == paying_buyer(11)]
    taken[0]["ended_at"], taken[1]["added_at"] = None, taken[1]["added_at"] + timedelta(days=3650)
    assert {"every_order", "gmv_of_" + taken[0]["userid"]} <= set(wrong(referee.judge(changed)))


def test_the_first_instead_of_the_last_of_two_employees_fails_the_run() -> None:
    changed = a_copy("relations")
    first, second = [one for one in changed["relations"] if one["buyer"] == paying_buyer(7)]
    first["userid"], second["userid"] = second["userid"], first["userid"]
    assert "every_order" in wrong(referee.judge(changed))


def paying_buyer(story: int) -> int:
    """A buyer of this story who pays a month after they came, so that whose the order is then counts."""
    firsts = {}
    for touch in true_world()["touches"]:
        firsts.setdefault(touch["buyer"], touch["at"])
    return next(
        order["buyer"]
        for order in true_world()["orders"]
        if order["fen"]
        and order["paid_at"]
        and order["buyer"] is not None
        and order["buyer"] % 43 == story
        and order["paid_at"] > firsts[order["buyer"]] + timedelta(days=30)
    )


@pytest.mark.parametrize("days", [89, 91])
def test_another_window_fails_the_run(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referee, "WINDOW_DAYS", days)
    assert {"every_order", "gmv_of_no_channel"} <= set(wrong(referee.figures(LOG, TODAY)))


def test_a_window_of_hours_instead_of_business_days_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_hours(touches: Any, at: Any) -> Any:
        last = max((one for one in touches if one["at"] <= at), key=lambda one: one["at"], default=None)
        return last["code"] if last and at - last["at"] <= timedelta(days=90) else None

    monkeypatch.setattr(referee, "_code", by_hours)
    assert {"every_order", "gmv_of_no_channel"} <= set(wrong(referee.figures(LOG, TODAY)))


def test_the_time_of_order_instead_of_payment_fails_the_run() -> None:
    changed = a_copy("orders")
    for order in changed["orders"]:
        order["paid_at"] = order["paid_at"] and order["placed_at"]
    assert {"every_order", "alerts_order_paid"} <= set(wrong(referee.judge(changed)))


@pytest.mark.parametrize("whole", [True, False])
def test_a_dropped_refund_line_fails_the_run(whole: bool) -> None:
    changed = a_copy("orders")
    order = next(one for one in changed["orders"] if len(one["refunds"]) > 1)
    if whole:
        order["refunds"].pop()
        expected = {"gmv_refunded", "orders_refunded", "every_order", "every_line"}
    else:
        order["refunds"][0]["line"] = None
        expected = {"every_line"}
    assert expected <= set(wrong(referee.judge(changed)))


def test_a_missed_rename_fails_the_run() -> None:
    changed = a_copy("relations")
    owners = Counter(one["buyer"] for one in changed["relations"])
    missed = next(r for r in changed["relations"] if r["userid"] == "guide_042_new" and owners[r["buyer"]] == 1)
    missed["userid"] = "guide_042"
    assert "gmv_of_guide_042" in wrong(referee.judge(changed))


def test_a_guest_who_is_somebody_fails_the_run() -> None:
    changed = a_copy("orders")
    guest = next(order for order in changed["orders"] if order["buyer"] is None)
    guest["buyer"] = 1
    assert "purchases_per_person" in wrong(referee.judge(changed))


@pytest.mark.parametrize("story", [4, 7, 12, 15])
def test_an_add_more_or_a_loss_less_fails_the_run(story: int) -> None:
    changed = a_copy("touches", "relations", "lost")
    own = [one for one in changed["touches"] if one["buyer"] == paying_buyer(story)]
    changed["touches"].append(own[-1])
    assert "alerts_friend_added" in wrong(referee.judge(changed))
    changed = a_copy("relations")
    ended = [one for one in changed["relations"] if one["ended_at"] is not None]
    ended[0]["ended_at"] = None
    assert "living_relations" in wrong(referee.judge(changed))


@pytest.mark.parametrize(
    ("field", "value", "figures"),
    [
        ("userid", "guide_000_other", {"welcomes_by_employee", "friends_listed_by_employee"}),
        ("code", 9, {"welcomes_by_code"}),
        ("at", 10, {"friends_listed_by_day"}),
        ("welcomed", False, {"welcomes_by_employee", "welcomes_by_code"}),
    ],
)
def test_an_add_told_otherwise_fails_the_run(field: str, value: Any, figures: set[str]) -> None:
    changed = a_copy("touches")
    one = next(one for one in changed["touches"] if one["welcomed"])
    one[field] = one[field] + timedelta(days=value) if field == "at" else value
    assert figures <= set(wrong(referee.judge(changed)))


@pytest.mark.parametrize("feature", sorted(set(FEATURES) - {"two_apps", "buyer_pay", "line_refunds", "half_adds"}))
def test_every_feature_can_be_seen(feature: str) -> None:
    """The others change no figure where everything is right: that they do not is what they are for."""
    assert wrong(referee.figures(LOG, TODAY, 0, [feature]))


def test_it_runs_alone(tmp_path: Path) -> None:
    """As a script, isolated from everything installed."""
    source = Path(referee.__file__)
    assert not [line for line in source.read_text().splitlines() if line.startswith("from deploy")]
    copied = tmp_path / "referee.py"
    copied.write_text(source.read_text())
    (tmp_path / "log").write_text(LOG)
    done = subprocess.run(
        [sys.executable, "-I", "-S", copied, tmp_path / "log", TODAY.isoformat()], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == TRUTH


@pytest.mark.parametrize(("suite", "judged"), [({}, {"a": 1}), ({"a": 1}, {}), ({"a": 1}, {"a": 2})])
def test_a_figure_that_only_one_side_knows_is_unequal(suite: dict[str, int], judged: dict[str, int]) -> None:
    assert [figure["equal"] for figure in compare(suite, judged)] == [False]
