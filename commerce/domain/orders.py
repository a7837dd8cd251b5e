"""An order is a function of the set of its messages: each facet is its newest message, refunds are a set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

WAITING, ACCEPTED, EXCESS = "WAITING", "ACCEPTED", "EXCESS"


@dataclass(frozen=True, slots=True)
class Facet:
    """What one message says: columns of the order, ranked by the mall's version.

    `name` is detail, paid, shipped, completed or closed. Two messages of one facet and version are told apart by
    the fact's id, which comes from their content.
    """

    name: str
    version: int
    fact_id: str
    columns: Mapping[str, Any]

    @property
    def rank(self) -> str:
        return f"{self.version:020d}:{self.fact_id}"


def fold(row: Mapping[str, Any], facets: Iterable[Facet]) -> dict[str, Any]:
    """The columns of `row` that change when these messages are known too. Any order and repetition agree."""
    ranks = {name: row[f"{name}_rank"] or "" for name in ("detail", "paid", "shipped", "completed", "closed")}
    changes: dict[str, Any] = {}
    for facet in facets:
        if facet.rank > ranks[facet.name]:
            ranks[facet.name] = facet.rank
            changes |= dict(facet.columns) | {f"{facet.name}_rank": facet.rank}
    return changes


@dataclass(frozen=True, slots=True)
class Refund:
    refund_id: str
    amount_fen: int
    at: datetime


def settle_refunds(paid_fen: int | None, refunds: Iterable[Refund]) -> dict[str, str]:
    """refund id → WAITING while there is no payment; else ACCEPTED, earliest first, while the payment covers it."""
    statuses = {}
    left = paid_fen
    for refund in sorted(refunds, key=lambda r: (r.at, r.refund_id)):
        if left is None:
            statuses[refund.refund_id] = WAITING
        elif refund.amount_fen <= left:
            statuses[refund.refund_id] = ACCEPTED
            left -= refund.amount_fen
        else:
            statuses[refund.refund_id] = EXCESS
    return statuses
