"""A follow relation is a function of the set of its events, whatever order they came in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FollowEvent:
    """`kind` is added, deleted_by_staff or deleted_by_customer; `at` has WeCom's resolution of one second."""

    kind: str
    at: datetime
    fact_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which the relation was alive; `ended_at` is None while it is."""

    added_at: datetime
    ended_at: datetime | None


def spans_of(events: Iterable[FollowEvent]) -> tuple[Span, ...]:
    """The living spans, oldest first.

    A second add inside a living span (the half add and its confirmation) changes nothing, nor does a second end.
    Inside one second an add counts before an end: a friend is made before they can be lost.
    """
    spans: list[Span] = []
    opened: datetime | None = None
    for event in sorted(events, key=lambda e: (e.at, e.kind != "added", e.fact_id)):
        if event.kind == "added":
            opened = opened or event.at
        elif opened is not None:
            spans.append(Span(opened, event.at))
            opened = None
    if opened is not None:
        spans.append(Span(opened, None))
    return tuple(spans)
