"""Errors as RFC 9457 problem+json: the one table for HTTP, and the canonical line of every request."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import grpc
import structlog
from aiohttp import web
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status
from prometheus_client import Counter, Histogram
from uuid_utils import uuid7

from chassis import errors
from chassis.logs import log

REQUESTS = Counter("bihuan_requests_total", "Requests at the door", ["route", "status", "reason"])
SECONDS = Histogram(
    "bihuan_request_seconds", "Time at the door", ["route"], buckets=(0.002, 0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
)

STATUSES: dict[type[errors.DomainError], int] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.Precondition: 422,
    errors.Limited: 429,
    errors.Unavailable: 503,
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
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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


def _of_domain(error: errors.DomainError) -> web.Response:
    return problem(STATUSES[type(error)], error.reason, error.message, field=error.field, expected=error.expected)


def _of_grpc(error: grpc.aio.AioRpcError) -> web.Response:
    status = FROM_GRPC.get(error.code(), 500)
    if status == 500:
        return problem(500, "INTERNAL", "something went wrong on our side")
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


@web.middleware
async def one_line_per_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Maps every error to its problem, and logs each request once: route, status, reason, time. Never its content."""
    started = time.perf_counter()
    structlog.contextvars.bind_contextvars(request_id=str(uuid7()), traceparent=_traceparent(request))
    reason = ""
    try:
        response = await handler(request)
    except errors.DomainError as error:
        reason, response = error.reason, _of_domain(error)
    except grpc.aio.AioRpcError as error:
        response = _of_grpc(error)
        reason = error.code().name
    except web.HTTPException as error:
        if error.status < 400:
            raise
        reason = type(error).__name__.removeprefix("HTTP")
        response = problem(error.status, _slug(reason), error.text or error.reason)
        for name in ("Allow",):
            if name in error.headers:
                response.headers[name] = error.headers[name]
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("request_failed")
        reason, response = "INTERNAL", problem(500, "INTERNAL", "something went wrong on our side")
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    seconds = time.perf_counter() - started
    counter, histogram = _metrics(route, response.status, reason)
    counter.inc()
    histogram.observe(seconds)
    log.info(
        "request",
        method=request.method,
        route=route,
        status=response.status,
        reason=reason,
        ms=round(seconds * 1000, 1),
    )
    return response


@cache
def _metrics(route: str, status: int, reason: str) -> tuple[Counter, Histogram]:
    """Looking a metric up by its labels costs more than counting."""
    return REQUESTS.labels(route, str(status), reason), SECONDS.labels(route)


def _traceparent(request: web.Request) -> str:
    given = request.headers.get("traceparent", "")
    return given if len(given) == 55 and given.isascii() else ""


def _slug(name: str) -> str:
    return "".join("_" + c if c.isupper() and i else c for i, c in enumerate(name)).upper()
