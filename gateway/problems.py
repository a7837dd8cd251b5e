"""Errors as RFC 9457 problem+json: the one table for HTTP."""

from __future__ import annotations

from typing import Any

import grpc
import structlog
from aiohttp import web
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status

from chassis import errors

STATUSES: dict[type[errors.DomainError], int] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.Precondition: 422,
    errors.Limited: 429,
    errors.TooLarge: 413,
    errors.TimedOut: 504,
    errors.Unavailable: 503,
    errors.Broken: 500,
}
FROM_GRPC: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 422,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.OUT_OF_RANGE: 413,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


def problem(status: int, reason: str, detail: str, *, field: str = "", expected: str = "") -> web.Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": reason.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "reason": reason,
        "requestId": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    body |= {key: value for key, value in (("field", field), ("expected", expected)) if value}
    return web.json_response(body, status=status, content_type="application/problem+json")


def internal() -> web.Response:
    return problem(500, "INTERNAL", "something went wrong on our side")


def of_domain(error: errors.DomainError) -> web.Response:
    status = STATUSES[type(error)]
    if status == 500:
        return internal()
    return problem(status, error.reason, error.message, field=error.field, expected=error.expected)


def reason_of(error: errors.DomainError | grpc.aio.AioRpcError) -> str:
    """The stable reason that the answer to `error` carries."""
    if isinstance(error, errors.DomainError):
        return error.reason
    known = rpc_status.from_call(error)  # type: ignore[arg-type]
    for packed in known.details if known else ():
        info = ErrorInfo()
        if packed.Unpack(info):
            return str(info.reason)
    return str(error.code().name)


def of_grpc(error: grpc.aio.AioRpcError) -> web.Response:
    status = FROM_GRPC.get(error.code(), 500)
    if status == 500:
        return internal()
    reason, expected, field = error.code().name, "", ""
    known = rpc_status.from_call(error)  # type: ignore[arg-type]
    for packed in known.details if known else ():
        info, violations = ErrorInfo(), BadRequest()
        if packed.Unpack(info):
            reason, expected = info.reason, info.metadata.get("expected", "")
        elif packed.Unpack(violations):
            field = violations.field_violations[0].field
    detail = error.details() or "" if known else "a service does not answer, try again"
    return problem(status, reason, detail, field=field, expected=expected)
