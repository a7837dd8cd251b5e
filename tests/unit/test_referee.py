"""The referee is tested by mutation: a log that differs in one order must fail the run."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local import referee
from deploy.local.story import compare
from deploy.sandbox.log import log_file

TODAY = date(2026, 11, 22)
LOG = log_file().read_text()
LINES = LOG.splitlines()


def failing(lines: list[str]) -> list[dict[str, Any]]:
    """Figures of a suite that lived through `lines`, compared with what the true log demands."""
    suite = referee.figures("\n".join(lines), TODAY)
    return [figure for figure in compare(suite, TRUTH) if not figure["equal"]]


TRUTH = referee.figures(LOG, TODAY)
line_numbers = st.integers(0, len(LINES) - 1)


def with_field(line: str, position: int, value: str) -> str:
    fields = line.split()
    fields[position] = value
    return " ".join(fields)


def test_the_log_is_the_log() -> None:
    assert TRUTH["people"] == 2357
    assert TRUTH["repeat_buyers"] == 1152
    assert TRUTH["gmv_paid"] == 24409194
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


def test_it_runs_alone(tmp_path: Path) -> None:
    """As a script, isolated from everything installed."""
    source = Path(referee.__file__)
    assert not [line for line in source.read_text().splitlines() if line.startswith("from deploy")]
    copy = tmp_path / "referee.py"
    copy.write_text(source.read_text())
    (tmp_path / "log").write_text(LOG)
    done = subprocess.run(
        [sys.executable, "-I", "-S", copy, tmp_path / "log", TODAY.isoformat()], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == TRUTH


@pytest.mark.parametrize(("suite", "judged"), [({}, {"a": 1}), ({"a": 1}, {}), ({"a": 1}, {"a": 2})])
def test_a_figure_that_only_one_side_knows_is_unequal(suite: dict[str, int], judged: dict[str, int]) -> None:
    assert [figure["equal"] for figure in compare(suite, judged)] == [False]
