"""The console's pure parts, run by the node that builds it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT, examples

PARTS = ROOT / "gateway" / "console" / "src" / "parts"


def run(part: str, expression: str) -> Any:
    """What an expression over a part's exports gives, as JSON."""
    script = f"import * as part from {json.dumps((PARTS / part).as_uri())}; console.log(JSON.stringify({expression}))"
    done = subprocess.run(
        ["node", "--input-type=module", "--no-warnings", "-e", script], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_money_is_exact_at_any_length() -> None:
    amounts = ["0", "5", "128850", "-100", "9223372036854775807", "-9223372036854775808"]
    assert run("money.ts", f"{json.dumps(amounts)}.map(one => part.money(one))") == [
        "¥0.00", "¥0.05", "¥1,288.50", "−¥1.00", "¥92,233,720,368,547,758.07", "−¥92,233,720,368,547,758.08"
    ]  # fmt: skip
    assert run("money.ts", "part.money('100', 'JOD')") == "JOD 1.00"


def read(cells: list[list[str]]) -> list[list[str]]:
    """The cells as a spreadsheet reads them from the CSV that is made of them."""
    columns = "[0, 1].map(at => ({key: '', title: 'c' + at, text: row => row[at]}))"
    text = run("csv.ts", f"part.toCsv({columns}, {json.dumps(cells)})")
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline=""), strict=True))[1:]


def test_what_a_spreadsheet_would_run_is_text() -> None:
    formulas = [["=1+1", "@SUM(A1)"], ["+cmd|' /C calc'!A0", "-2+3"], ["\t=1", "-12.50"], ["＝1+1", "\n=1"]]
    assert read(formulas) == [
        ["'=1+1", "'@SUM(A1)"],
        ["'+cmd|' /C calc'!A0", "'-2+3"],
        ["'\t=1", "-12.50"],
        # Chinese Excel reads wide signs as narrow ones.
        ["'＝1+1", "'\n=1"],
    ]


# Without lone halves of characters, which no file can hold, and NUL, which the API refuses.
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


def test_every_cell_comes_back() -> None:
    """One run for all inputs: a process for each would take minutes."""
    drawn: list[list[str]] = []

    @given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20))
    def draw(rows: list[tuple[str, str]]) -> None:
        drawn.extend([list(row) for row in rows])

    draw()
    told = read(drawn)
    assert len(told) == len(drawn) >= examples(10)
    for row, back in zip(drawn, told, strict=True):
        assert [cell.removeprefix("'") for cell in back] == [cell.removeprefix("'") for cell in row]


def test_a_change_sends_what_is_different() -> None:
    before = {"text": "a", "link.title": "t", "link.url": "u"}
    now = {**before, "link.title": "new", "note": ""}
    assert run("form.ts", f"part.changed({json.dumps(now)}, {json.dumps(before)})") == {"link.title": "new"}
    assert run("form.ts", f"part.nested({json.dumps(before)})") == {"text": "a", "link": {"title": "t", "url": "u"}}


def test_a_change_is_undefined_where_there_is_nothing_to_divide_by() -> None:
    pairs = [["12", "8"], ["0", "8"], ["5", "0"], ["5", "-3"], ["5", None], [None, "5"]]
    told = run(
        "change.ts", f"{json.dumps(pairs)}.map(([a, b]) => part.changeOf(a ?? undefined, b ?? undefined, String))"
    )
    assert [one["ratio"] for one in told] == [0.5, -1, None, None, None, None]
    assert [one.get("before") for one in told] == ["8", "8", "0", "-3", None, "5"]
