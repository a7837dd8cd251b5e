"""What every list and every id in a request is checked by."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.errors import Invalid

MOST = 200
USUAL = 50
NIL = "00000000-0000-0000-0000-000000000000"
TOKEN_HEAD = "p1:"  # noqa: S105 (a mark, not a secret)


@dataclass(frozen=True, slots=True)
class Page:
    size: int
    # The last key of the page before; empty on the first.
    after: str

    def next_token(self, keys: list[str]) -> str:
        """Token of the page after one that ended with these keys; empty when that was the last."""
        if len(keys) < self.size:
            return ""
        return base64.urlsafe_b64encode((TOKEN_HEAD + keys[-1]).encode()).decode().rstrip("=")


def page(size: int, token: str) -> Page:
    """Raises Invalid for a size out of range or a token that is not ours."""
    if not 0 <= size <= MOST:
        raise Invalid("PAGE_SIZE_OUT_OF_RANGE", field="pageSize", expected=f"1 to {MOST}")
    after = ""
    if token:
        try:
            text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
        if not text.startswith(TOKEN_HEAD) or "\x00" in text:
            raise Invalid("PAGE_TOKEN_WRONG", field="pageToken", expected="the nextPageToken of the page before")
        after = text.removeprefix(TOKEN_HEAD)
    return Page(size or USUAL, after)


def uuid_page(size: int, token: str) -> Page:
    """A page over UUID keys, oldest first."""
    checked = page(size, token)
    return Page(checked.size, uuid(checked.after, "pageToken") if checked.after else NIL)


def position(after: str) -> tuple[datetime, str, str]:
    """A key of (time, text, text), written as JSON. Raises Invalid."""
    try:
        at, one, other = json.loads(after)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not isinstance(one, str) or not isinstance(other, str) or "\x00" in one + other:
            raise ValueError
        return moment, one, other
    except (ValueError, TypeError):
        raise Invalid("PAGE_TOKEN_WRONG", field="pageToken", expected="the nextPageToken of the page before") from None


def whole(after: str, field: str) -> int:
    """A whole number of at most 64 bits. Raises Invalid."""
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise Invalid("PAGE_TOKEN_WRONG", field=field, expected="the nextPageToken of the page before")
    return int(after)


def uuid(text: str, field: str) -> str:
    """The canonical spelling. Raises Invalid."""
    try:
        return str(UUID(text))
    except ValueError:
        raise Invalid("ID_MALFORMED", field=field, expected="a UUID") from None


def text(value: str, field: str, *, most: int, least: int = 1) -> str:
    """Trimmed text of `least` to `most` characters. Raises Invalid."""
    trimmed = value.strip()
    if not least <= len(trimmed) <= most:
        raise Invalid("TEXT_LENGTH_WRONG", field=field, expected=f"{least} to {most} characters")
    return trimmed
