"""Which adds are one, who is new, who returns: functions of the set of a contact's adds.

WeCom tells one add several times: to each app of the corp, and first provisionally, when the customer added the member
without verification, then whole, when the member's side is complete. So the adds of one contact by one member are
cut into *occasions*:

- what is told within two seconds of an occasion's first telling belongs to it, whoever was told and in whichever order
  the seconds are;
- a whole add confirms a provisional one before it, within a week, unless they came through two different live codes;
  what is told within two seconds of the confirmation belongs to it too;
- everything else begins another occasion.

A deletion in between is not looked at: a provisional add that was deleted and made again within the week through the
same code counts once, and every other re-add counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

NEW, RETURNING, CONFIRMED = "NEW", "RETURNING", "CONFIRMED"
TOLD_WITHIN = timedelta(seconds=2)
CONFIRMED_WITHIN = timedelta(days=7)


class Add(NamedTuple):
    """One telling of an add."""

    touch_id: str
    # The member's present one, whichever the add was told under.
    userid: str
    # The member has not confirmed yet (WeCom's add_half_external_contact).
    provisional: bool
    live_code_id: str | None
    added_at: datetime


@dataclass(slots=True)
class Occasion:
    """Adds that are one, in order of time; the first is counted, the others confirm it."""

    adds: list[Add] = field(default_factory=list)
    confirmed_at: datetime | None = None

    @property
    def counted(self) -> Add:
        return self.adds[0]

    def takes(self, add: Add) -> bool:
        if add.added_at - self.counted.added_at <= TOLD_WITHIN:
            return True
        if self.confirmed_at is not None:
            return add.added_at - self.confirmed_at <= TOLD_WITHIN
        codes = {one.live_code_id for one in (*self.adds, add)} - {None}
        return not add.provisional and len(codes) <= 1 and add.added_at - self.counted.added_at <= CONFIRMED_WITHIN

    def join(self, add: Add) -> None:
        self.adds.append(add)
        if self.confirmed_at is None and not add.provisional:
            self.confirmed_at = add.added_at


def occasions_of(adds: Iterable[Add]) -> list[Occasion]:
    """The occasions of one contact, over all members, in order of their counted adds."""
    adds = sorted(adds, key=_order)
    if len(adds) == 1:  # nearly always
        [add] = adds
        return [Occasion(adds, None if add.provisional else add.added_at)]
    of_member: dict[str, list[Occasion]] = defaultdict(list)
    for add in adds:
        own = of_member[add.userid]
        if not own or not own[-1].takes(add):
            own.append(Occasion())
        own[-1].join(add)
    return sorted((one for own in of_member.values() for one in own), key=lambda one: _order(one.counted))


def kinds_of(occasions: Iterable[Occasion]) -> dict[str, str]:
    """Touch id → kind: the first occasion's counted add is NEW, those of later ones RETURNING, the rest CONFIRMED."""
    kinds: dict[str, str] = {}
    for occasion in occasions:
        counted_kind = RETURNING if kinds else NEW
        kinds |= dict.fromkeys((add.touch_id for add in occasion.adds), CONFIRMED)
        kinds[occasion.counted.touch_id] = counted_kind
    return kinds


def _order(add: Add) -> tuple[datetime, bool, str]:
    return add.added_at, not add.provisional, add.touch_id


@dataclass(frozen=True, slots=True)
class Code:
    """What a state leads to."""

    live_code_id: str
    channel_id: str
    # Since when it is paused; None while in use.
    paused_at: datetime | None
    # Pauses that are over: from the first moment to before the second, in whole seconds.
    past_pauses: Sequence[tuple[datetime, datetime]] = ()

    def is_paused_at(self, added_at: datetime) -> bool:
        """WeCom tells an add's time in whole seconds, cut off: an add in the second of the pause came after it."""
        if self.paused_at is not None and self.paused_at.replace(microsecond=0) <= added_at:
            return True
        return any(begun <= added_at < over for begun, over in self.past_pauses)


def route(state: str, codes: Mapping[str, Code], added_at: datetime) -> tuple[Code | None, str | None]:
    """The live code that an add came through, or None and why: ABSENT, UNKNOWN or STALE."""
    if not state:
        return None, "ABSENT"
    code = codes.get(state)
    if code is None:
        return None, "UNKNOWN"
    if code.is_paused_at(added_at):
        return None, "STALE"
    return code, None
