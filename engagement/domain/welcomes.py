"""When a welcome goes, with which of an add's codes, and what an answer says of what was sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# How long a welcome code lives.
CODE_LIVES = timedelta(seconds=20)
ALREADY_WELCOMED, CODE_EXPIRED = 41051, 41050
# "System busy" and "data changed meanwhile": the welcome may have been sent. After 41096, another app is sending, ours
# was not.
UNCERTAIN = frozenset({-1, 6000})


def waits_until(added_at: datetime, arrived_at: datetime, patience: timedelta) -> datetime:
    """Until when a welcome may wait for a name: the code ages from the event on, and its callback may come late.

    WeCom's clock is believed while the code can be alive by it, between twenty seconds before the arrival and the
    arrival; otherwise ours is. The clocks decide about waiting only: whether a code has expired is for WeCom to say,
    and we go on trying until twenty seconds after the arrival, which is never too early.
    """
    believed = arrived_at - CODE_LIVES <= added_at <= arrived_at
    return (added_at if believed else arrived_at) + patience


@dataclass(frozen=True, slots=True)
class Sibling:
    """A code of one contact and member that is known already."""

    added_at: datetime
    # A status of the table.
    status: str
    errcode: int | None

    @property
    def was_welcomed(self) -> bool:
        """True when the customer was welcomed with this code or is about to be, or has been talked to before."""
        return self.status in ("OPEN", "SENT") or (self.status == "REFUSED" and self.errcode == ALREADY_WELCOMED)


def siblings_of(added_at: datetime, others: Iterable[Sibling]) -> list[Sibling]:
    """The codes of the same add: each of the corp's apps gets one, within the life of a code."""
    return [other for other in others if abs(other.added_at - added_at) <= CODE_LIVES]


def is_certain(errcode: int) -> bool:
    """True when WeCom's refusal says that nothing was sent by this call."""
    return errcode not in UNCERTAIN
