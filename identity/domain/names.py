"""The beginnings of a name, as people type them to find it."""

from __future__ import annotations

import unicodedata

MOST_CHARACTERS = 16


def folded(name: str) -> str:
    """One spelling for upper and lower case, wide and narrow characters, and runs of blanks."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def prefixes(name: str) -> list[str]:
    """The first 1, 2, … characters of the folded name, up to MOST_CHARACTERS. One that ends in a blank is left out,
    since what is asked for is folded, too."""
    text = folded(name)
    cuts = (text[:length] for length in range(1, min(len(text), MOST_CHARACTERS) + 1))
    return [one for one in cuts if not one.endswith(" ")]
