"""gRPC: one interceptor that authenticates, times, logs and maps errors; channels that balance and carry deadlines."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from prometheus_client import Histogram

from chassis import errors, idempotency, metrics
from chassis.kernel import caller
from chassis.logs import log
from chassis.pool import is_transient

CODES: dict[type[errors.DomainError], grpc.StatusCode] = {
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.Precondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Limited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
}
CREDENTIAL = "bihuan-service-key"
# A replica that is there and answers nobody is left out after this and a half.
KEEPALIVE_MS = 4000
HEALTH_PREFIX = "/grpc.health.v1.Health/"


@cache
def _histogram(method: str, code: str) -> Histogram:
    """Looking a metric up by its labels costs more than observing."""
    return metrics.RPC_SECONDS.labels(method, code)


def _status(error: errors.DomainError) -> Status:
    details = [ErrorInfo(reason=error.reason, domain="bihuan", metadata={"expected": error.expected})]
    packed = [AnyMessage() for _ in details]
    packed[0].Pack(details[0])
    if error.field:
        violation = BadRequest(
            field_violations=[BadRequest.FieldViolation(field=error.field, description=error.message)]
        )
        packed.append(AnyMessage())
        packed[-1].Pack(violation)
    return Status(code=CODES[type(error)].value[0], message=error.message, details=packed)


class _Guard(grpc.aio.ServerInterceptor):
    def __init__(self, service_key: str) -> None:
        self._key = service_key.encode()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None or details.method.startswith(HEALTH_PREFIX):
            return handler
        behaviour, method, key = handler.unary_unary, details.method, self._key

        async def serve(request: Any, context: Any) -> Any:
            metadata = {str(k): str(v) for k, v in context.invocation_metadata() or ()}
            started = time.perf_counter()
            code, reason = grpc.StatusCode.OK, ""
            structlog.contextvars.bind_contextvars(
                request_id=metadata.get("request-id", ""), traceparent=metadata.get("traceparent", "")
            )
            try:
                if not hmac.compare_digest(str(metadata.get(CREDENTIAL, "")).encode(), key):
                    raise errors.Unauthenticated("SERVICE_KEY_WRONG", "the caller is none of our processes")
                caller.enter(metadata)
                idempotency.enter(metadata.get(idempotency.METADATA, ""))
                return await behaviour(request, context)
            except errors.DomainError as error:
                code, reason = CODES[type(error)], error.reason
                await context.abort_with_status(rpc_status.to_status(_status(error)))
            except Exception as error:
                if is_transient(error):
                    code, reason = grpc.StatusCode.UNAVAILABLE, "STORE_AWAY"
                    away = errors.Unavailable("STORE_AWAY", "a store is away, try again")
                    log.warning("rpc_outage", error=repr(error))
                    await context.abort_with_status(rpc_status.to_status(_status(away)))
                code, reason = grpc.StatusCode.INTERNAL, "INTERNAL"
                log.exception("rpc_failed", method=method)
                await context.abort(grpc.StatusCode.INTERNAL, "internal error")
            finally:
                seconds = time.perf_counter() - started
                _histogram(method, code.name).observe(seconds)
                log.info("rpc", method=method, code=code.name, reason=reason, ms=round(seconds * 1000, 1))

        return grpc.unary_unary_rpc_method_handler(
            serve,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class Server:
    """A gRPC server with health. Ready is told by `set_ready`; `port` is known after `start`."""

    def __init__(self, service_key: str, host: str, port: int) -> None:
        self._server = grpc.aio.server(
            interceptors=[_Guard(service_key)],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_connection_age_ms", 300_000),
                ("grpc.max_connection_age_grace_ms", 10_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
                ("grpc.http2.max_ping_strikes", 0),
            ],
        )
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.port = self._server.add_insecure_port(f"{host}:{port}")

    def add(self, register: Callable[[Any, Any], None], servicer: Any) -> None:
        register(servicer, self._server)

    async def start(self) -> None:
        await self._server.start()

    async def set_ready(self, ready: bool) -> None:
        serving = health_pb2.HealthCheckResponse.SERVING
        await self._health.set("", serving if ready else health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self) -> None:
        await self._server.stop(grace=5)


def channel(address: str) -> grpc.aio.Channel:
    """A channel that balances over all addresses of a name. It repeats only what was not sent: who may repeat more
    is for the caller to know."""
    policy: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.service_config", json.dumps(policy)),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_MS // 2),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        ],
    )


def call_metadata(service_key: str, extra: Sequence[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    return [(CREDENTIAL, service_key), *extra]
