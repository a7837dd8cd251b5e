"""Who earned an order, and which channel brought its buyer: the rule. SQL in commerce/db is its fast twin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which an employee and a contact were friends; `ended_at` None: they still are."""

    userid: str
    contact_id: str
    added_at: datetime
    ended_at: datetime | None

    def living_at(self, moment: datetime) -> bool:
        return self.added_at <= moment and (self.ended_at is None or moment < self.ended_at)


@dataclass(frozen=True, slots=True)
class Touch:
    """A contact came in through a channel; a confirmation only repeats an earlier add."""

    touch_id: str
    channel_id: str
    added_at: datetime
    confirmation: bool


@dataclass(frozen=True, slots=True)
class Window:
    """For how many business days after its own a touch earns payments; days are those of the corp's zone."""

    days: int
    zone: ZoneInfo

    def holds(self, touched_at: datetime, moment: datetime) -> bool:
        last = touched_at.astimezone(self.zone).date() + timedelta(days=self.days)
        return touched_at <= moment and moment.astimezone(self.zone).date() <= last


@dataclass(frozen=True, slots=True)
class Attribution:
    userid: str | None = None
    contact_id: str | None = None
    channel_id: str | None = None


def attribute(
    ordered_at: datetime, paid_at: datetime | None, spans: Iterable[Span], touches: Iterable[Touch], window: Window
) -> Attribution:
    """`spans` and `touches` are those of all contacts of the buyer's customer.

    The moment of payment decides; until then, provisionally, the moment of the order.
    """
    moment = paid_at or ordered_at
    employee = serving(spans, moment)
    touch = bringing(touches, moment, window)
    return Attribution(
        userid=employee.userid if employee else None,
        contact_id=employee.contact_id if employee else None,
        channel_id=touch.channel_id if touch else None,
    )


def serving(spans: Iterable[Span], moment: datetime) -> Span | None:
    """The living relation that was added last; of several the first by userid, then by contact."""
    living = [span for span in spans if span.living_at(moment)]
    living.sort(key=lambda span: (span.userid, span.contact_id))
    return max(living, key=lambda span: span.added_at, default=None)


def bringing(touches: Iterable[Touch], moment: datetime, window: Window) -> Touch | None:
    """The last touch inside the window that is no confirmation; of several at once the one with the highest id."""
    inside = [touch for touch in touches if not touch.confirmation and window.holds(touch.added_at, moment)]
    return max(inside, key=lambda touch: (touch.added_at, touch.touch_id), default=None)
