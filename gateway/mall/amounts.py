"""Yuan as malls write them, to fen, exactly."""

from __future__ import annotations

import re
from typing import Any

from chassis.errors import Invalid

YUAN = re.compile(r"^(\d{1,11})(?:\.(\d{1,2}))?$", re.ASCII)


def fen(value: Any, field: str) -> int:
    """Raises Invalid for anything but a decimal of at most two places, not negative, below 100 billion yuan."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    match = YUAN.match(text)
    if match is None:
        raise Invalid(
            "AMOUNT_WRONG", field=field, expected="yuan, a decimal with at most two places, 0 to 99999999999.99"
        )
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
