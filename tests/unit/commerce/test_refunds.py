"""Which refunds count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from commerce.domain.refunds import ACCEPTED, EXCESS, WAITING, Refund, settle_refunds

MORNING = datetime(2026, 1, 5, tzinfo=UTC)
refunds = st.lists(
    st.builds(
        lambda name, fen, second: Refund(name, fen, MORNING + timedelta(seconds=second)),
        st.uuids().map(str),
        st.integers(0, 300),
        st.integers(0, 9),
    ),
    max_size=8,
)


@given(st.one_of(st.none(), st.integers(0, 500)), refunds)
def test_accepted_refunds_never_exceed_the_payment(paid: int | None, given_back: list[Refund]) -> None:
    statuses = settle_refunds(paid, "CNY", given_back)
    assert settle_refunds(paid, "CNY", reversed(given_back)) == statuses
    if paid is None:
        assert set(statuses.values()) <= {WAITING}
        return
    accepted = sum(refund.amount_fen for refund in given_back if statuses[refund.refund_id] == ACCEPTED)
    assert accepted <= paid
    for refund in given_back:
        if statuses[refund.refund_id] == EXCESS:
            assert refund.amount_fen > paid - accepted


def test_a_refund_in_another_currency_never_counts() -> None:
    foreign = Refund("r", 100, MORNING, currency="USD")
    assert settle_refunds(500, "CNY", [foreign]) == {"r": EXCESS}
    assert settle_refunds(None, None, [foreign]) == {"r": WAITING}
    assert settle_refunds(500, "USD", [foreign]) == {"r": ACCEPTED}
