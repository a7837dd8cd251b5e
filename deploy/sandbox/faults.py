"""How hostile the sandbox is: rates between 0 and 1, seeded, changed while it runs."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Faults:
    seed: int = 1
    # Callbacks and webhooks.
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 1.0
    # Calls to the API.
    http_5xx: float = 0.0
    busy: float = 0.0
    limited: float = 0.0
    token_expiry: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 3.0
    sending_elsewhere: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(1), repr=False)

    def change(self, values: dict[str, Any]) -> dict[str, Any]:
        """Raises ValueError for an unknown name or a rate out of range."""
        known = {f.name for f in fields(self)} - {"random"}
        for name, value in values.items():
            if name not in known or isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{name}: expected one of {', '.join(sorted(known))} and a number")
            if name not in ("seed", "delay_seconds", "slow_seconds") and not 0 <= value <= 1:
                raise ValueError(f"{name}: expected a rate from 0 to 1")
            setattr(self, name, value)
        if "seed" in values:
            self.random = random.Random(self.seed)
        return self.shown()

    def shown(self) -> dict[str, Any]:
        shown = {key: value for key, value in asdict(self).items() if key != "random"}
        return shown

    def happens(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate
