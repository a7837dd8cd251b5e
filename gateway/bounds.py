"""How much of a thing the door lets in: more than the platforms document, less than anything behind it chokes on.

An authentic message that breaks a bound is kept whole and sealed, as one that we cannot read yet, and acknowledged: a
refusal would be sent again and again (a mall even stops pushing the shop's other messages), and in the end be lost.
"""

from __future__ import annotations

from datetime import UTC, datetime

from chassis.errors import Invalid

# Business times outside are no times: what is reckoned from them must stay inside the calendar.
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class OutOfBounds(Invalid):
    """A field is longer, a list is larger or a number is higher than the door lets in."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__("OUT_OF_BOUNDS", field=field, expected=expected)


def check_length(text: str, most: int, field: str) -> None:
    """Raises OutOfBounds for more than `most` characters."""
    if len(text) > most:
        raise OutOfBounds(field, f"at most {most} characters")


def check_moment(moment: datetime, field: str) -> None:
    if not EARLIEST <= moment < LATEST:
        raise OutOfBounds(field, f"a time from {EARLIEST.year} to {LATEST.year}")
