"""How hostile the sandbox is: rates between 0 and 1 and settings, seeded, changed while it runs.

Everything at its default is the platform as it documents itself; README.md lists what each name does.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Faults:
    # Callbacks and webhooks.
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    # Calls to the APIs: before the function, and after it.
    http_5xx: float = 0.0
    busy: float = 0.0
    limited: float = 0.0
    parallel: float = 0.0
    token_expiry: float = 0.0
    slow: float = 0.0
    answer_lost: float = 0.0
    # Welcomes and adds.
    sending_elsewhere: float = 0.0
    rival_wins: float = 0.0
    no_code: float = 0.0
    quiet_return: float = 0.0
    # JS-SDK tickets: given out wrong, over before their time.
    wrong_ticket: float = 0.0
    ticket_expiry: float = 0.0
    media_refused: float = 0.0
    media_lost: float = 0.0
    # Settings, not rates.
    seed: int = 1
    delay_seconds: float = 1.0
    slow_seconds: float = 3.0
    attempts: int = 3
    calls_per_minute: int = 10_000
    calls_per_hour: int = 150_000
    minute_block_seconds: float = 60.0
    hour_block_seconds: float = 3600.0
    calls_at_once: int = 40
    former_userid_seconds: float = 60.0
    app_tickets_per_hour: int = 100
    corp_tickets_per_hour: int = 400
    media_seconds: float = 3 * 86_400.0
    random: random.Random = field(default_factory=lambda: random.Random(1), repr=False)

    def change(self, values: dict[str, Any]) -> dict[str, Any]:
        """Raises ValueError for an unknown name, a rate out of range or a negative setting."""
        known = {f.name for f in fields(self)} - {"random"}
        for name, value in values.items():
            if name not in known or isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{name}: expected one of {', '.join(sorted(known))} and a number")
            if value < 0 or (name not in SETTINGS and value > 1):
                raise ValueError(f"{name}: expected {'0 or more' if name in SETTINGS else 'a rate from 0 to 1'}")
            setattr(self, name, value)
        if "seed" in values:
            self.random = random.Random(self.seed)
        return self.shown()

    def shown(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "random"}

    def happens(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate


SETTINGS = frozenset(
    (
        "seed", "delay_seconds", "slow_seconds", "attempts", "calls_per_minute", "calls_per_hour",
        "minute_block_seconds", "hour_block_seconds", "calls_at_once", "former_userid_seconds", "app_tickets_per_hour",
        "corp_tickets_per_hour",
        "minute_block_seconds", "hour_block_seconds", "calls_at_once", "former_userid_seconds",
        "media_seconds",
    )
)  # fmt: skip
