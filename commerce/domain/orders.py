"""An order is a function of the set of its messages: each facet is its newest message, whatever order they come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FACETS = ("detail", "buyer", "paid", "shipped", "completed", "closed")
# Those that state money: they are dropped when the order turns out to be in another currency.
MONEY_FACETS = ("detail", "buyer", "paid")


@dataclass(frozen=True, slots=True)
class Facet:
    """What one message says: columns of the order, ranked by the mall's version.

    Two messages of one facet and version are told apart by the fact's id, which comes from their content.
    """

    name: str
    version: int
    fact_id: str
    columns: Mapping[str, Any]

    @property
    def rank(self) -> str:
        return rank_of(self.version, self.fact_id)


@dataclass(frozen=True, slots=True)
class Buyer:
    """The buyer as the mall names them."""

    kind: str
    id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Line:
    line_id: str
    product_id: str
    title: str
    quantity: int
    paid_fen: int
    sku_id: str = ""
    # The merchant's own numbers of product and sku.
    outer_product_id: str = ""
    outer_sku_id: str = ""
    # Of one piece before discounts, and of the line; None: the mall does not say.
    price_fen: int | None = None
    discount_fen: int | None = None


def rank_of(version: int, fact_id: str) -> str:
    """Sorts as text."""
    return f"{version:020d}:{fact_id}"


def fold(row: Mapping[str, Any], facets: Iterable[Facet]) -> dict[str, Any]:
    """The columns of `row` that change when these messages are known too. Any order and repetition agree."""
    ranks = {name: row[f"{name}_rank"] or "" for name in FACETS}
    if row["buyer_id"] is not None and not ranks["buyer"]:
        ranks["buyer"] = ranks["detail"]  # a release before took the buyer for a part of the detail
    changes: dict[str, Any] = {}
    for facet in facets:
        if facet.rank > ranks[facet.name]:
            ranks[facet.name] = facet.rank
            changes |= dict(facet.columns) | {f"{facet.name}_rank": facet.rank}
    return changes
