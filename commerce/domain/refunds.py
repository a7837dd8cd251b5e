"""Which refunds of an order count: a function of the payment and of the set of refunds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

WAITING, ACCEPTED, EXCESS = "WAITING", "ACCEPTED", "EXCESS"


@dataclass(frozen=True, slots=True)
class RefundLine:
    """What was given back for which line. The line may not be known (yet)."""

    line_id: str
    amount_fen: int
    # 0: the mall does not say.
    quantity: int


@dataclass(frozen=True, slots=True)
class Refund:
    refund_id: str
    amount_fen: int
    at: datetime
    # None: not kept; taken for the order's.
    currency: str | None = None
    arrived_at: datetime | None = None
    reason: str = ""
    lines: tuple[RefundLine, ...] = ()


def settle_refunds(paid_fen: int | None, currency: str | None, refunds: Iterable[Refund]) -> dict[str, str]:
    """refund id → WAITING while there is no payment; else ACCEPTED, earliest first, while the payment covers it.

    What the payment does not cover is EXCESS, and so is a refund in another currency than the order's.
    """
    statuses = {}
    left = paid_fen
    for refund in sorted(refunds, key=lambda r: (r.at, r.refund_id)):
        if currency is not None and refund.currency not in (None, currency):
            statuses[refund.refund_id] = EXCESS
        elif left is None:
            statuses[refund.refund_id] = WAITING
        elif refund.amount_fen <= left:
            statuses[refund.refund_id] = ACCEPTED
            left -= refund.amount_fen
        else:
            statuses[refund.refund_id] = EXCESS
    return statuses
