"""Which currency an order has."""

from __future__ import annotations

from commerce.domain.currencies import Stated, currency_of

LOW, HIGH = Stated("a", "1", "CNY"), Stated("b", "2", "USD")


def test_the_lowest_message_says_it() -> None:
    assert currency_of([HIGH, LOW], None, None) == "CNY"
    assert currency_of([HIGH, LOW], "USD", "2") == "CNY"


def test_what_a_forgotten_message_said_is_settled() -> None:
    assert currency_of([LOW], "USD", "2") == "USD"


def test_what_a_release_before_said_is_settled() -> None:
    assert currency_of([LOW], "USD", None) == "USD"
