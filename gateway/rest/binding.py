"""JSON and query strings into messages, strictly: what is wrong is named by its field.

proto3's own parser takes numbers for enums, both spellings of a field, and text with NUL; a door should not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.errors import Invalid

WHOLE = re.compile(r"^-?\d{1,19}$", re.ASCII)
RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
WELL_KNOWN = {
    "google.protobuf.Timestamp": "an RFC 3339 time",
    "google.protobuf.Duration": "seconds with an s at the end, like 1.5s",
}


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises Invalid; a field that stands there twice is refused."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise Invalid("JSON_WRONG", "the body is not JSON in UTF-8", field="body", expected="a JSON object") from None
    if not isinstance(value, dict):
        raise Invalid("JSON_WRONG", "the body is not a JSON object", field="body", expected="a JSON object")
    return value


def fill(message: Message, values: Mapping[str, Any], path: str = "") -> None:
    """Sets the fields named in `values` (lowerCamelCase). Raises Invalid for what does not fit."""
    fields = {field.json_name: field for field in message.DESCRIPTOR.fields}
    for name, value in values.items():
        where = path + name
        field = fields.get(name)
        if field is None:
            raise Invalid(
                "FIELD_UNKNOWN", f"there is no field {where}", field=where, expected=", ".join(sorted(fields))
            )
        if value is None:
            continue
        if field.is_repeated:
            if not isinstance(value, list):
                raise _wrong(where, "a list")
            for position, item in enumerate(value):
                _append(message, field, item, f"{where}[{position}]")
        elif field.message_type is not None:
            _fill_nested(getattr(message, field.name), value, where)
        else:
            setattr(message, field.name, _scalar(field, value, where))


def fill_from_query(message: Message, query: Iterable[tuple[str, str]]) -> None:
    """The same for a query string: scalars, times and lists of scalars. A scalar given twice is refused."""
    fields = {field.json_name: field for field in message.DESCRIPTOR.fields}
    values: dict[str, Any] = {}
    for name, text in query:
        field = fields.get(name)
        if field is not None and field.is_repeated:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise Invalid("FIELD_TWICE", field=name, expected="one value")
        elif field is not None and field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            values[name] = {"true": True, "false": False}.get(text, text)
        else:
            values[name] = text
    fill(message, values)


def check_required(message: Message, path: str = "") -> None:
    """Raises Invalid for a REQUIRED field that is empty, at any depth."""
    present = {field.name for field, _ in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        where = path + field.json_name
        if field.name not in present and _is_required(field):
            raise Invalid("FIELD_MISSING", f"{where} is missing", field=where, expected="a value")
        if field.message_type is not None and field.name in present and not _well_known(field.message_type):
            value = getattr(message, field.name)
            for position, item in enumerate(value if field.is_repeated else [value]):
                check_required(item, f"{where}[{position}]." if field.is_repeated else f"{where}.")


@cache
def _is_required(field: FieldDescriptor) -> bool:
    behaviours: Sequence[int] = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviours


def _append(message: Message, field: Any, item: Any, where: str) -> None:
    holder = getattr(message, field.name)
    if field.message_type is not None:
        _fill_nested(holder.add(), item, where)
    else:
        holder.append(_scalar(field, item, where))


def _fill_nested(message: Message, value: Any, where: str) -> None:
    name = message.DESCRIPTOR.full_name
    if name in WELL_KNOWN:
        try:
            if not isinstance(value, str):
                raise ValueError
            message.FromJsonString(value)  # type: ignore[attr-defined]
        except (ValueError, OverflowError):
            raise _wrong(where, WELL_KNOWN[name]) from None
    elif isinstance(value, dict):
        message.SetInParent()
        fill(message, value, where + ".")
    else:
        raise _wrong(where, "an object")


def _scalar(field: Any, value: Any, where: str) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if not isinstance(value, str) or "\x00" in value or not _encodable(value):
            raise _wrong(where, "text without NUL characters")
        return value
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise _wrong(where, "true or false")
        return value
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        known = field.enum_type.values_by_name
        if not isinstance(value, str) or value not in known:
            raise _wrong(where, "one of " + ", ".join(known))
        return known[value].number
    if kind in RANGES:
        least, most = RANGES[kind]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole and not (isinstance(value, str) and WHOLE.match(value)):
            raise _wrong(where, "a whole number")
        if not least <= int(value) <= most:
            raise _wrong(where, f"{least} to {most}")
        return int(value)
    raise _wrong(where, "a kind that the door can read")


def _wrong(where: str, expected: str) -> Invalid:
    return Invalid("FIELD_WRONG", f"{where}: expected {expected}", field=where, expected=expected)


def _well_known(descriptor: Any) -> bool:
    return descriptor.full_name in WELL_KNOWN


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a field twice")
    return values


def _no_constant(name: str) -> Any:
    raise ValueError(name)
