"""The enums of the API in words: GET /api/v1/catalogue."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from bihuan.staff.v1.facts_pb2 import StaffAlerted
from google.protobuf.descriptor import Descriptor, EnumDescriptor

from gateway import app_keys
from gateway.rest.contract import operations

SECONDS = 300


def enums() -> dict[str, EnumDescriptor]:
    """Every enum that a request or an answer can hold, the live stream's included, by name."""
    seen: set[str] = set()
    named: dict[str, EnumDescriptor] = {}
    roots = [StaffAlerted.DESCRIPTOR]
    for operation in operations():
        roots += [operation.method.input_type, operation.method.output_type]
    for message in roots:
        named |= {enum.name: enum for enum in _enums_of(message, seen)}
    return dict(sorted(named.items()))


def values(enum: EnumDescriptor) -> dict[str, str]:
    """Value → its name without the enum's prefix; without UNSPECIFIED, which says nothing."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.name: value.name.removeprefix(prefix) for value in enum.values if value.number}


def labels() -> dict[str, dict[str, dict[str, str]]]:
    text = importlib.resources.files("gateway").joinpath("labels.toml").read_text("utf-8")
    return tomllib.loads(text)


def catalogue() -> dict[str, Any]:
    known = labels()
    return {
        "enums": {
            name: [{"value": value, **known[name][short]} for value, short in values(enum).items()]
            for name, enum in enums().items()
        }
    }


def add_routes(app: web.Application) -> None:
    answer = catalogue()

    async def show(request: web.Request) -> web.Response:
        await request.app[app_keys.DOORKEEPER].caller(request)
        return web.json_response(answer, headers={"Cache-Control": f"private, max-age={SECONDS}"})

    app.router.add_get("/api/v1/catalogue", show)


def _enums_of(message: Descriptor, seen: set[str]) -> Iterator[EnumDescriptor]:
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        if field.enum_type is not None:
            yield field.enum_type
        elif field.message_type is not None:
            yield from _enums_of(field.message_type, seen)
