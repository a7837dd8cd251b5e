"""Money rules, in fen."""

from __future__ import annotations


def average(total_fen: int, count: int) -> int:
    """Rounded half up to the fen; `count` is at least 1 and `total_fen` is not negative."""
    return (2 * total_fen + count) // (2 * count)
