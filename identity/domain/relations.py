"""A follow relation is a function of the set of its events, whatever order they came in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

ADDED, DELETED_BY_STAFF, DELETED_BY_CUSTOMER = "added", "deleted_by_staff", "deleted_by_customer"
# How a relation ends.
BY_STAFF, BY_CUSTOMER, BY_TRANSFER = "BY_STAFF", "BY_CUSTOMER", "BY_TRANSFER"
# WeCom's add_way of a scanned code, which is what a state comes from; and of a customer handed over to a member.
SCANNED, ASSIGNED = 1, 202
# One end is told to each of the corp's apps, so far apart at most.
TOLD_WITHIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowEvent:
    """`kind` is added, deleted_by_staff or deleted_by_customer; `at` has WeCom's resolution of one second.

    `add_way` is None until WeCom has been asked, and while it is what the state says.
    """

    kind: str
    at: datetime
    fact_id: str
    by_transfer: bool = False
    state: str = ""
    add_way: int | None = None

    @property
    def way(self) -> int:
        """As read, or else as the state says; 0 when nothing says."""
        if self.add_way is not None:
            return self.add_way
        return SCANNED if self.state else 0

    @property
    def end(self) -> str:
        if self.kind == DELETED_BY_CUSTOMER:
            return BY_CUSTOMER
        return BY_TRANSFER if self.by_transfer else BY_STAFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time in which the relation was alive; `ended_at` and `end` are None while it is."""

    added_at: datetime
    ended_at: datetime | None = None
    end: str | None = None
    add_way: int = 0
    state: str = ""

    @property
    def by_transfer(self) -> bool:
        """It began by a transfer from another member."""
        return self.add_way == ASSIGNED


def spans_of(events: Iterable[FollowEvent]) -> tuple[Span, ...]:
    """The living spans, oldest first.

    A second add inside a living span (the provisional add and its confirmation) begins nothing, nor does a second end
    end anything; but what the first did not say, how it came about and its state, is taken from the second. Inside one
    second an add counts before an end: a friend is made before they can be lost.
    """
    spans: list[Span] = []
    adds: list[FollowEvent] = []
    for event in sorted(events, key=lambda e: (e.at, e.kind != ADDED, e.fact_id)):
        if event.kind == ADDED:
            adds.append(event)
        elif adds:
            spans.append(_span(adds, event))
            adds = []
    if adds:
        spans.append(_span(adds, None))
    return tuple(spans)


def _span(adds: list[FollowEvent], end: FollowEvent | None) -> Span:
    return Span(
        added_at=adds[0].at,
        ended_at=end.at if end is not None else None,
        end=end.end if end is not None else None,
        add_way=next((add.add_way for add in adds if add.add_way), 0) or next((add.way for add in adds if add.way), 0),
        state=next((add.state for add in adds if add.state), ""),
    )


def lost(before: Iterable[Span], after: Iterable[Span]) -> list[Span]:
    """The spans that a customer ended, of which nothing was known before: an end that turns out to be a moment earlier
    is the same."""
    known = [span.ended_at for span in before if span.end == BY_CUSTOMER and span.ended_at is not None]
    return [
        span
        for span in after
        if span.end == BY_CUSTOMER
        and span.ended_at is not None
        and not any(abs(span.ended_at - end) <= TOLD_WITHIN for end in known)
    ]
