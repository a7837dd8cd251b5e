"""The currency that figures are asked for in."""

from __future__ import annotations

import re

from chassis.errors import Invalid

USUAL = "CNY"
CODE = re.compile(r"[A-Z]{3}")


def currency_of(text: str) -> str:
    """Raises Invalid."""
    if text and not CODE.fullmatch(text):
        raise Invalid("CURRENCY_MALFORMED", field="currency", expected="three capital letters, as CNY")
    return text or USUAL
