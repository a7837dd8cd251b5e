"""Yuan become fen."""

from __future__ import annotations

import pytest

from chassis.errors import Invalid
from gateway.mall.amounts import fen


@pytest.mark.parametrize(
    ("text", "value"), [("0.00", 0), ("12.3", 1230), ("12", 1200), (7, 700), ("99999999999.99", 9999999999999)]
)
def test_yuan_become_fen_exactly(text: object, value: int) -> None:
    assert fen(text, "f") == value


@pytest.mark.parametrize(
    "text", ["-1.00", "1.234", "1e3", "", None, True, 1.5, "１２", "NaN", "100000000000.00", " 1", "1.", ".5"]
)
def test_what_is_no_exact_yuan_amount_is_refused_by_name(text: object) -> None:
    with pytest.raises(Invalid) as refusal:
        fen(text, "pay_info.payment")
    assert refusal.value.field == "pay_info.payment"
