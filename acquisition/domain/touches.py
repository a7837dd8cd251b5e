"""Who is new, who returns: a function of the set of a contact's adds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

NEW, RETURNING, CONFIRMED = "NEW", "RETURNING", "CONFIRMED"


@dataclass(frozen=True, slots=True)
class Touch:
    touch_id: str
    userid: str
    half: bool
    added_at: datetime


def kinds_of(touches: Iterable[Touch]) -> dict[str, str]:
    """touch id → kind, over all adds of one contact.

    The first add is NEW and later ones RETURNING; a full add that follows a half add by the same employee is the
    same add, CONFIRMED.
    """
    kinds: dict[str, str] = {}
    awaiting: dict[str, bool] = {}
    for touch in sorted(touches, key=lambda t: (t.added_at, not t.half, t.touch_id)):
        if not touch.half and awaiting.pop(touch.userid, False):
            kinds[touch.touch_id] = CONFIRMED
            continue
        kinds[touch.touch_id] = RETURNING if kinds else NEW
        if touch.half:
            awaiting[touch.userid] = True
    return kinds


@dataclass(frozen=True, slots=True)
class Code:
    """What a state leads to."""

    live_code_id: str
    channel_id: str
    paused_at: datetime | None


def route(state: str, codes: Mapping[str, Code], added_at: datetime) -> tuple[Code | None, str | None]:
    """The live code that an add came through, or None and why: ABSENT, UNKNOWN or STALE.

    WeCom tells an add's time in whole seconds, cut off: an add in the second of the pause came after it.
    """
    if not state:
        return None, "ABSENT"
    code = codes.get(state)
    if code is None:
        return None, "UNKNOWN"
    if code.paused_at is not None and code.paused_at.replace(microsecond=0) <= added_at:
        return None, "STALE"
    return code, None
