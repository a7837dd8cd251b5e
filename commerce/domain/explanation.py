"""Why an order belongs to whom it does: the rule of commerce.domain.attribution, said of each candidate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar

from commerce.domain.attribution import Span, Touch, Window, bringing, serving


class Verdict(StrEnum):
    CHOSEN = "CHOSEN"
    # Began after the moment.
    LATER = "LATER"
    # Had ended before it; of relations.
    ENDED = "ENDED"
    # Before the window; of touches.
    TOO_OLD = "TOO_OLD"
    # It might have been, and another one was preferred.
    OLDER = "OLDER"


class Relation(NamedTuple):
    span: Span
    verdict: Verdict


class Add(NamedTuple):
    touch: Touch
    verdict: Verdict


Considered = TypeVar("Considered", bound=Relation | Add)


def relations(moment: datetime, spans: Iterable[Span]) -> list[Relation]:
    """Newest first."""
    known = list(spans)
    chosen = serving(known, moment)
    known.sort(key=lambda span: (span.added_at, span.userid, span.contact_id), reverse=True)
    return [Relation(span, _of_span(span, moment, chosen)) for span in known]


def adds(moment: datetime, touches: Iterable[Touch], window: Window) -> list[Add]:
    """Newest first, without those that only confirm an earlier one."""
    known = [touch for touch in touches if not touch.confirmation]
    chosen = bringing(known, moment, window)
    known.sort(key=lambda touch: (touch.added_at, touch.touch_id), reverse=True)
    return [Add(touch, _of_touch(touch, moment, window, chosen)) for touch in known]


def newest(found: Sequence[Considered], most: int) -> list[Considered]:
    """The first `most`, and the chosen one instead of the last when it is not among them."""
    far = [one for one in found[most:] if one.verdict is Verdict.CHOSEN]
    return [*found[: most - len(far)], *far]


def _of_span(span: Span, moment: datetime, chosen: Span | None) -> Verdict:
    if span is chosen:
        return Verdict.CHOSEN
    if span.added_at > moment:
        return Verdict.LATER
    return Verdict.OLDER if span.living_at(moment) else Verdict.ENDED


def _of_touch(touch: Touch, moment: datetime, window: Window, chosen: Touch | None) -> Verdict:
    if touch is chosen:
        return Verdict.CHOSEN
    if touch.added_at > moment:
        return Verdict.LATER
    return Verdict.OLDER if window.holds(touch.added_at, moment) else Verdict.TOO_OLD
