"""How often an API may be called: per minute, per hour and at once, each with WeCom's own refusal."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.sandbox.errors import WeComRefusal
from deploy.sandbox.faults import Faults

UNCOUNTED = frozenset({"auth/getuserinfo"})
Key = tuple[str, str]  # corp, API


class Quota:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._windows: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._blocked: dict[Key, float] = defaultdict(float)
        self._at_once: dict[Key, int] = defaultdict(int)

    @contextmanager
    def call(self, corp_id: str, api: str) -> Iterator[None]:
        """Counts one call. Raises WeComRefusal 45009 over a window's quota or 45033 with too many at once."""
        key, faults = (corp_id, api), self._faults
        self._at_once[key] += 1
        try:
            if self._at_once[key] > faults.calls_at_once or faults.happens(faults.parallel):
                raise WeComRefusal(45033, "api concurrent out of limit")
            if api not in UNCOUNTED:
                self._count(key)
            if faults.happens(faults.limited):
                raise WeComRefusal(45009, "api freq out of limit")
            yield
        finally:
            self._at_once[key] -= 1

    def _count(self, key: Key) -> None:
        faults, now = self._faults, time.time()
        for seconds, most, block in (
            (60, faults.calls_per_minute, faults.minute_block_seconds),
            (3600, faults.calls_per_hour, faults.hour_block_seconds),
        ):
            window, calls = self._windows.get((*key, seconds), (0, 0))
            this_window = int(now // seconds)
            calls = calls + 1 if window == this_window else 1
            self._windows[*key, seconds] = (this_window, calls)
            # Each call while the block lasts is refused, and does not lengthen it.
            if calls > most and self._blocked[key] <= now:
                self._blocked[key] = now + block
                self._windows[*key, seconds] = (this_window, 0)
        if self._blocked[key] > now:
            raise WeComRefusal(45009, "api freq out of limit")
