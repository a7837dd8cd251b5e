"""Guards every RPC alike, unary or streaming: service key, caller, error mapping, scope, metrics, one log line."""

from __future__ import annotations

import asyncio
import hmac
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from prometheus_client import Histogram

from chassis import errors, idempotency, metrics
from chassis.kernel import caller
from chassis.kernel.access import Access, accesses
from chassis.logs import log
from chassis.pool import is_timeout, is_transient

CODES: dict[type[errors.DomainError], grpc.StatusCode] = {
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.Precondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Limited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.TooLarge: grpc.StatusCode.OUT_OF_RANGE,
    errors.TimedOut: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Broken: grpc.StatusCode.INTERNAL,
}
CREDENTIAL = "bihuan-service-key"
HEALTH_PREFIX = "/grpc.health.v1.Health/"


class Guard(grpc.aio.ServerInterceptor):
    """Lets nothing through that `admit` has not seen, but for health."""

    def __init__(self, service_key: str) -> None:
        self._key = service_key.encode()
        self._accesses: dict[str, Access] = {}

    def admit(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Takes a service's RPCs into its care. Raises ValueError for one that it could not guard."""
        try:
            declared = accesses(service)
        except KeyError:
            raise ValueError(f"{service}: no generated module describes it, so nobody knows who may call it") from None
        for name, handler in handlers.items():
            behaviour, streams = _behaviour(handler)
            if streams and not inspect.isasyncgenfunction(behaviour):
                raise ValueError(f"{service}/{name}: expected an async generator that yields its answers")
            if not streams and not inspect.iscoroutinefunction(behaviour):
                raise ValueError(f"{service}/{name}: expected an async function")
            self._accesses[f"/{service}/{name}"] = declared[name]

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(HEALTH_PREFIX):
            return handler
        method, access = details.method, self._accesses[details.method]
        behaviour, streams = _behaviour(handler)

        async def answer(request: Any, context: Any) -> Any:
            async with self._guarded(method, context):
                found = await behaviour(request, context)
                _check(method, access)
                return found

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._guarded(method, context):
                async for found in behaviour(request, context):
                    _check(method, access)
                    yield found

        if handler.request_streaming:
            make = grpc.stream_stream_rpc_method_handler if streams else grpc.stream_unary_rpc_method_handler
        else:
            make = grpc.unary_stream_rpc_method_handler if streams else grpc.unary_unary_rpc_method_handler
        return make(
            stream if streams else answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    @asynccontextmanager
    async def _guarded(self, method: str, context: Any) -> AsyncIterator[None]:
        metadata = {str(k): str(v) for k, v in context.invocation_metadata() or ()}
        started = time.perf_counter()
        code, reason = grpc.StatusCode.OK, ""
        structlog.contextvars.bind_contextvars(
            request_id=metadata.get("request-id", ""), traceparent=metadata.get("traceparent", "")
        )
        try:
            if not hmac.compare_digest(metadata.get(CREDENTIAL, "").encode(), self._key):
                raise errors.Unauthenticated("SERVICE_KEY_WRONG", "the caller is none of our processes")
            caller.enter(metadata)
            idempotency.enter(metadata.get(idempotency.METADATA, ""))
            yield
        except (asyncio.CancelledError, GeneratorExit):
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:
            known = _known(error, method)
            if known is None:
                code, reason = grpc.StatusCode.INTERNAL, "INTERNAL"
                log.exception("rpc_failed", method=method)
                await context.abort(code, "internal error")
            else:
                code, reason = CODES[type(known)], known.reason
                await context.abort_with_status(rpc_status.to_status(_status(known)))
        finally:
            seconds = time.perf_counter() - started
            _histogram(method, code.name).observe(seconds)
            log.info("rpc", method=method, code=code.name, reason=reason, ms=round(seconds * 1000, 1))


def _behaviour(handler: Any) -> tuple[Any, bool]:
    """The servicer's method, and whether it streams its answers."""
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    return next(one for one in kinds if one is not None), handler.response_streaming


def _check(method: str, access: Access) -> None:
    """Raises Broken for an answer that must not leave."""
    if access.confines and caller.lacks_scope():
        raise errors.Broken("SCOPE_NOT_APPLIED", f"{method} asked for nobody's scope and answers a confined caller")
    if method.rpartition("/")[2].startswith("Create") and idempotency.was_ignored():
        raise errors.Broken("IDEMPOTENCY_NOT_APPLIED", f"{method} does not keep the promise of an Idempotency-Key")


def _known(error: Exception, method: str) -> errors.DomainError | None:
    """What the caller is told; None: nothing but that it failed."""
    if isinstance(error, errors.Broken):
        log.error("rpc_refused", method=method, reason=error.reason, error=error.message)
        return errors.Broken(error.reason, "internal error")
    if isinstance(error, errors.DomainError):
        return error
    if is_timeout(error):
        log.warning("rpc_timed_out", method=method, error=repr(error))
        return errors.TimedOut("WORK_TIMED_OUT", "this takes longer than a request may take", expected="a smaller one")
    if is_transient(error):
        log.warning("rpc_outage", method=method, error=repr(error))
        return errors.Unavailable("STORE_AWAY", "a store is away, try again")
    return None


@cache
def _histogram(method: str, code: str) -> Histogram:
    """Looking a metric up by its labels costs more than observing."""
    return metrics.RPC_SECONDS.labels(method, code)


def _status(error: errors.DomainError) -> Status:
    details = [AnyMessage()]
    details[0].Pack(ErrorInfo(reason=error.reason, domain="bihuan", metadata={"expected": error.expected}))
    if error.field:
        violation = BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(AnyMessage())
        details[1].Pack(BadRequest(field_violations=[violation]))
    return Status(code=CODES[type(error)].value[0], message=error.message, details=details)
