"""The side-app of every process: /livez, /readyz, /metrics and /backlog (what still waits, by name)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

# `ready`, and what else is worth knowing about the process.
Health = Callable[[], dict[str, Any]]
Backlog = Callable[[], Awaitable[dict[str, int]]]


def add_health_routes(app: web.Application, health: Health, backlog: Backlog | None = None) -> None:
    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        found = health()
        return web.json_response(found, status=200 if found["ready"] else 503)

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def show_backlog(_: web.Request) -> web.Response:
        assert backlog is not None
        return web.json_response(await backlog())

    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)
    if backlog is not None:
        app.router.add_get("/backlog", show_backlog)


async def serve(app: web.Application, host: str, port: int, *, finish_seconds: float = 3) -> web.AppRunner:
    """Starts an app; the caller cleans the runner up, which gives running requests `finish_seconds` to end."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=finish_seconds)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    return runner
