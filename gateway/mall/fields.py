"""Fields of a mall's JSON: each read names the one that is wrong, or too much."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import orjson

from chassis.errors import Invalid
from gateway.bounds import OutOfBounds, check_length

Object = dict[str, Any]

# Characters of what joins (numbers of orders, lines, goods) and of what is only shown.
MOST_ID = 64
MOST_SHOWN = 200


def parse(raw: bytes | str, field: str) -> Any:
    try:
        return orjson.loads(raw)
    except ValueError:
        pass
    try:  # takes half emoji in a title, which the faster one refuses
        return json.loads(raw.decode() if isinstance(raw, bytes) else raw)
    except (ValueError, RecursionError):
        raise Invalid("JSON_WRONG", field=field, expected="JSON in UTF-8") from None


def get(holder: Object, name: str) -> Any:
    """The field of this name, which some gateways write in camel case."""
    value = holder.get(name)
    return value if value is not None else holder.get(_camel(name))


@cache
def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def as_object(value: Any, field: str) -> Object:
    if not isinstance(value, dict):
        raise Invalid("FIELD_WRONG", field=field, expected="an object")
    return value


def as_list(value: Any, most: int, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid("FIELD_WRONG", field=field, expected="a list")
    if len(value) > most:
        raise OutOfBounds(field, f"at most {most} entries")
    return value


def needed(value: Any, field: str, most: int = MOST_ID) -> str:
    """A printable text, written as text or as a whole number."""
    text = as_text(value)
    if not text or not text.isprintable():
        raise Invalid("FIELD_MISSING" if value is None else "FIELD_WRONG", field=field, expected="text")
    check_length(text, most, field)
    return text


def optional(value: Any, field: str, most: int = MOST_ID) -> str:
    """The same, or nothing: a number of the mall's that joins, where there is one."""
    return needed(value, field, most) if as_text(value) else ""


def shown(value: Any, most: int = MOST_SHOWN) -> str:
    """Text that is only shown: cut, and what no store takes (NUL, lone surrogates) falls away."""
    text = as_text(value)[:most]
    return text if text.isprintable() else text.encode(errors="ignore").decode().replace("\x00", "")


def as_text(value: Any) -> str:
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def whole(value: Any, most: int, reason: str, field: str) -> int:
    """A whole number from 0 to below `most`."""
    try:
        number = -1 if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if number < 0:
        raise Invalid(reason, field=field, expected="a whole number, 0 or more")
    if number >= most:
        raise OutOfBounds(field, f"below {most}")
    return number
