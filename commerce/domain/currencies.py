"""An order has one currency: the one that the lowest of its messages about money states. The others were wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stated:
    """A message that states an order's money. `rank` as in commerce.domain.orders."""

    fact_id: str
    rank: str
    currency: str


def currency_of(messages: Sequence[Stated], known: str | None, lowest_rank: str | None) -> str:
    """`known` is what the order has by now, `lowest_rank` that of the lowest message which said so.

    It is settled, and later messages cannot change it, when that message is no longer among `messages`: they are kept
    for longer than malls and streams repeat themselves, but not for ever.
    """
    if known is not None and not any(one.rank == lowest_rank for one in messages):
        return known
    return min(messages, key=lambda one: one.rank).currency
