"""Under which userid a member is known now: a function of the set of renames.

A rename moves what was said of the former userid up to its time. What is said of it later is about a new member, who
took the userid that had become free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Rename:
    at: datetime
    userid: str
    new_userid: str


def known_as(userid: str, at: datetime, renames: Iterable[Rename]) -> str:
    """The present userid of whoever was `userid` at `at`; each rename counts at most once, so that a circle ends."""
    left = sorted(renames)
    while True:
        step = next((one for one in left if one.userid == userid and one.at >= at), None)
        if step is None:
            return userid
        left.remove(step)
        userid, at = step.new_userid, step.at
