"""What every list and every id in a request is checked by."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.errors import Invalid

MOST = 200
USUAL = 50
NIL = "00000000-0000-0000-0000-000000000000"
TOKEN_EXPECTED = "the nextPageToken of the page before, with the same filters and order"  # noqa: S105 (a sentence)
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
        return _token(keys[-1])


def _token(key: str) -> str:
    return base64.urlsafe_b64encode((TOKEN_HEAD + key).encode()).decode().rstrip("=")


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
            raise Invalid("PAGE_TOKEN_WRONG", field="pageToken", expected=TOKEN_EXPECTED)
        after = text.removeprefix(TOKEN_HEAD)
    return Page(size or USUAL, after)


def uuid_page(size: int, token: str) -> Page:
    """A page over UUID keys, oldest first."""
    checked = page(size, token)
    return Page(checked.size, uuid(checked.after, "pageToken") if checked.after else NIL)


@dataclass(frozen=True, slots=True)
class SortedPage:
    """A page of a list that is sorted by one field, and by the rows' key where that is equal.

    Rows that are inserted or removed meanwhile move no other row to another page.
    """

    size: int
    order_by: str
    descending: bool
    # (value of the field, key) of the last row of the page before; None on the first.
    after: tuple[Any, str] | None

    def next_token(self, places: Sequence[tuple[Any, str]]) -> str:
        """Token of the page after one with rows at these places; empty when that was the last. Values are text, whole
        numbers or moments."""
        if len(places) < self.size:
            return ""
        value, key = places[-1]
        shown = value.isoformat() if isinstance(value, datetime) else value
        return _token(json.dumps([self.order_by, self.descending, shown, key]))

    def order(self, column: str, key: str) -> str:
        """SQL: what `order by` says."""
        direction = "desc" if self.descending else "asc"
        return f"{column} {direction}, {key} {direction}"

    def beyond(self, column: str, key: str, first: int, key_type: str = "uuid") -> str:
        """SQL: a condition that holds behind the page before. `after` are its parameters, from number `first` on."""
        if self.after is None:
            return "true"
        comparison = "<" if self.descending else ">"
        return f"({column}, {key}) {comparison} (${first}, ${first + 1}::{key_type})"


def sorted_page(
    size: int,
    token: str,
    order_by: str,
    allowed: Mapping[str, type],
    usual: str = "created_at desc",
    *,
    uuid_keys: bool = True,
) -> SortedPage:
    """Raises Invalid for a wrong size, an order that the list does not have, or a token of another order.

    `allowed`: the fields by which the list may be sorted, and what they hold: str, int or datetime. `uuid_keys`: the
    rows' keys are UUIDs; otherwise any text.
    """
    plain = page(size, token)
    words = (order_by or usual).split()
    if not 1 <= len(words) <= 2 or words[0] not in allowed or words[1:] not in ([], ["asc"], ["desc"]):
        expected = " or ".join(sorted(allowed)) + ", with desc behind it or not"
        raise Invalid("ORDER_UNKNOWN", field="orderBy", expected=expected)
    field, descending = words[0], words[1:] == ["desc"]
    if not plain.after:
        return SortedPage(plain.size, field, descending, None)
    try:
        its_field, its_descending, value, key = json.loads(plain.after)
        if (its_field, its_descending) != (field, descending) or not isinstance(key, str):
            raise ValueError
        if "\x00" in key or (isinstance(value, str) and "\x00" in value):
            raise ValueError
        if allowed[field] is datetime:
            value = datetime.fromisoformat(value)
            if value.tzinfo is None:
                raise ValueError
        elif type(value) is not allowed[field] or (isinstance(value, int) and abs(value) >= 2**63):
            raise ValueError
    except (ValueError, TypeError):
        raise Invalid("PAGE_TOKEN_WRONG", field="pageToken", expected=TOKEN_EXPECTED) from None
    return SortedPage(plain.size, field, descending, (value, uuid(key, "pageToken") if uuid_keys else key))


def position(after: str) -> tuple[datetime, str, str]:
    """A key of (time, text, text), written as JSON. Raises Invalid."""
    try:
        at, one, other = json.loads(after)
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not isinstance(one, str) or not isinstance(other, str) or "\x00" in one + other:
            raise ValueError
        return moment, one, other
    except (ValueError, TypeError):
        raise Invalid("PAGE_TOKEN_WRONG", field="pageToken", expected=TOKEN_EXPECTED) from None


def whole(after: str, field: str) -> int:
    """A whole number of at most 64 bits. Raises Invalid."""
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise Invalid("PAGE_TOKEN_WRONG", field=field, expected=TOKEN_EXPECTED)
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
