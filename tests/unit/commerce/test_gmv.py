"""Money rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commerce.domain.gmv import average


@given(st.integers(0, 10**12), st.integers(1, 10**5))
def test_the_average_is_rounded_half_up(total: int, count: int) -> None:
    assert abs(average(total, count) * count * 2 - total * 2) <= count
    assert average(5, 2) == 3
