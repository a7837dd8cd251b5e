"""REST ↔ gRPC: every operation of the contract is one route; no handler is written by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import grpc
import orjson
import structlog
from aiohttp import web
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import MessageToDict

from chassis import idempotency
from chassis.errors import Forbidden, Invalid, NotFound
from chassis.rpc import call_metadata
from gateway import app_keys
from gateway.rest.binding import check_required, fill, fill_from_query, read_object
from gateway.rest.contract import MOST_KEY, Operation, operations

# The RPCs that every service serves; the path names the service.
EVERY_SERVICE = "operations"
# Only reads are repeated while a service restarts: a write might have been done. Nor is what ran out of time.
READ_PAUSES = (0.1, 0.3, 1.0)


def add_routes(
    app: web.Application, channels: Mapping[str, grpc.aio.Channel], files: FileDescriptorSet | None = None
) -> None:
    """Raises ValueError for an operation of a service that no channel leads to; `files`: another contract than ours."""
    for operation in operations(files):
        if operation.owner not in (*channels, EVERY_SERVICE):
            raise ValueError(f"{operation.rpc}: no channel leads to {operation.owner}")
        app.router.add_route(operation.verb, operation.path, _handler(operation, channels))


def _handler(
    operation: Operation, channels: Mapping[str, grpc.aio.Channel]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    calls = {
        owner: channel.unary_unary(
            operation.rpc,
            request_serializer=operation.request.SerializeToString,
            response_deserializer=operation.response.FromString,
        )
        for owner, channel in channels.items()
    }

    json_names = {field.name: field.json_name for field in operation.method.input_type.fields}

    async def serve(request: web.Request) -> web.Response:
        caller = await request.app[app_keys.DOORKEEPER].caller(request)
        if caller.role not in operation.roles:
            raise Forbidden(
                "ROLE_NOT_ALLOWED", f"{caller.role} may not do this", expected=", ".join(sorted(operation.roles))
            )
        message = operation.request()
        if operation.has_body:
            if request.can_read_body and request.content_type != "application/json":
                raise web.HTTPUnsupportedMediaType(text="expected application/json")
            fill(message, read_object(await request.read()))
            if request.query:
                raise Invalid("FIELD_UNKNOWN", "this request takes no query", field=next(iter(request.query)))
        else:
            fill_from_query(message, request.query.items())
        fill(message, {json_names[name]: value for name, value in request.match_info.items()})
        check_required(message)
        call = calls.get(request.match_info["service"] if operation.owner == EVERY_SERVICE else operation.owner)
        if call is None:
            raise NotFound("SERVICE_UNKNOWN", field="service", expected=", ".join(sorted(calls)))
        settings = request.app[app_keys.SETTINGS]
        context = structlog.contextvars.get_contextvars()
        traced = [("request-id", context.get("request_id", "")), ("traceparent", context.get("traceparent", ""))]
        once = [(idempotency.METADATA, key)] if operation.is_create and (key := _idempotency_key(request)) else []
        metadata = call_metadata(settings.service_key, [*caller.metadata(), *traced, *once])
        for pause in READ_PAUSES if operation.verb == "GET" else ():
            try:
                answer = await call(message, timeout=settings.call_seconds, metadata=metadata)
                break
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                await asyncio.sleep(pause)
        else:
            answer = await call(message, timeout=settings.call_seconds, metadata=metadata)
        body = orjson.dumps(MessageToDict(answer, always_print_fields_with_no_presence=True))
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    return serve


def _idempotency_key(request: web.Request) -> str:
    key = request.headers.get(idempotency.FIELD, "")
    if len(key) > MOST_KEY or not key.isascii() or not key.isprintable():
        expected = f"1 to {MOST_KEY} printable ASCII characters"
        raise Invalid("IDEMPOTENCY_KEY_WRONG", field=idempotency.FIELD, expected=expected)
    return key
