"""What a list of orders is narrowed to, as SQL conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

# The very expression of the indexes `orders_status` and `orders_status_paid`.
STATUS = "order_status(o.paid_fen, o.given_back_fen, o.shipped_at, o.completed_at, o.closed_at, 'infinity')"


@dataclass(frozen=True, slots=True)
class Wanted:
    """None and the empty text: whatever it is."""

    customer_id: str | None = None
    mall_id: str = ""
    # An OrderStatus name without its prefix.
    status: str = ""
    userid: str = ""
    channel_id: str | None = None
    paid_since: datetime | None = None
    paid_until: datetime | None = None
    order_id: str = ""

    @property
    def earned_by(self) -> bool:
        """Whether it matters who, or which channel, earned the order."""
        return bool(self.userid or self.channel_id)


class Arguments(list[Any]):
    """The values of a statement's parameters, by their numbers."""

    def __call__(self, value: Any) -> str:
        """The parameter that stands for the value."""
        self.append(value)
        return f"${len(self)}"


def of_order(wanted: Wanted, arguments: Arguments) -> list[str]:
    """Conditions on the order `o`."""
    conditions = []
    if wanted.order_id:
        conditions.append(f"o.order_id = {arguments(wanted.order_id)}")
    if wanted.mall_id:
        conditions.append(f"o.mall_id = {arguments(wanted.mall_id)}")
    if wanted.status:
        conditions.append(f"{STATUS} = {arguments(wanted.status)}")
    return conditions + _paid("o", wanted, arguments)


def of_attribution(wanted: Wanted, arguments: Arguments) -> list[str]:
    """Conditions on the order's attribution `a`."""
    conditions = []
    if wanted.userid:
        conditions.append(f"a.userid = {arguments(wanted.userid)}")
    if wanted.channel_id:
        conditions.append(f"a.channel_id = {arguments(wanted.channel_id)}")
    return conditions + _paid("a", wanted, arguments)


def _paid(table: str, wanted: Wanted, arguments: Arguments) -> list[str]:
    conditions = []
    if wanted.paid_since is not None:
        conditions.append(f"{table}.paid_at >= {arguments(wanted.paid_since)}")
    if wanted.paid_until is not None:
        conditions.append(f"{table}.paid_at < {arguments(wanted.paid_until)}")
    return conditions
