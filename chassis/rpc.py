"""gRPC: servers whose every RPC is guarded; channels that balance and carry deadlines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from chassis.guard import CREDENTIAL, Guard

# A replica that is there and answers nobody is left out after this and a half.
KEEPALIVE_MS = 4000


class _Registration:
    """Stands in for the server while generated code registers a servicer: shows what would be served."""

    def __init__(self) -> None:
        self.services: dict[str, Any] = {}
        self.handlers: tuple[grpc.GenericRpcHandler, ...] = ()

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self.handlers += tuple(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        self.services[service] = handlers


class Server:
    """A gRPC server with health. Ready is told by `set_ready`; `port` is known after `start`."""

    def __init__(self, service_key: str, host: str, port: int) -> None:
        self._guard = Guard(service_key)
        self._server = grpc.aio.server(
            interceptors=[self._guard],
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
        """`register` is generated code. Raises ValueError for what the guard cannot guard."""
        asked = _Registration()
        register(servicer, asked)
        if len(asked.handlers) != len(asked.services):
            raise ValueError(f"{type(servicer).__name__}: expected the generated registration of one service")
        for service, handlers in asked.services.items():
            self._guard.admit(service, handlers)
            self._server.add_registered_method_handlers(service, handlers)
        self._server.add_generic_rpc_handlers(asked.handlers)

    async def start(self) -> None:
        await self._server.start()

    async def set_ready(self, ready: bool) -> None:
        serving = health_pb2.HealthCheckResponse.SERVING
        await self._health.set("", serving if ready else health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self) -> None:
        await self._server.stop(grace=5)


def channel(address: str) -> grpc.aio.Channel:
    """A channel that balances over all addresses of a name. Repeats only what was never sent; the rest is up to the
    caller."""
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
