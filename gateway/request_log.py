"""The canonical line of every request: route, status, reason, time. Never its content."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import cache

import grpc
import structlog
from aiohttp import web
from prometheus_client import Counter, Histogram
from uuid_utils import uuid7

from chassis import errors
from chassis.logs import log
from gateway import problems

REQUESTS = Counter("bihuan_requests_total", "Requests at the door", ["route", "status", "reason"])
SECONDS = Histogram(
    "bihuan_request_seconds", "Time at the door", ["route"], buckets=(0.002, 0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def one_line_per_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Maps every error to its problem, and logs each request once."""
    started = time.perf_counter()
    structlog.contextvars.bind_contextvars(request_id=str(uuid7()), traceparent=_traceparent(request))
    reason = ""
    try:
        response = await handler(request)
    except errors.DomainError as error:
        reason, response = error.reason, problems.of_domain(error)
    except grpc.aio.AioRpcError as error:
        response = problems.of_grpc(error)
        reason = error.code().name
    except web.HTTPException as error:
        if error.status < 400:
            raise
        reason = type(error).__name__.removeprefix("HTTP")
        response = problems.problem(error.status, _slug(reason), error.text or error.reason)
        for name in ("Allow",):
            if name in error.headers:
                response.headers[name] = error.headers[name]
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("request_failed")
        reason, response = "INTERNAL", problems.internal()
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
