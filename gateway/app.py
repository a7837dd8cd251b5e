"""The gateway's aiohttp app: every route of the house in one place."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
from collections.abc import Callable, Mapping

import grpc
from aiohttp import web
from aiohttp.typedefs import Handler

from chassis.kernel.corps import Corps
from chassis.web import add_health_routes
from gateway import app_keys, auth, catalogue, files, pages, qr_codes, stream
from gateway.auth import Doorkeeper
from gateway.edge import Edge
from gateway.hub import Hub
from gateway.mall import webhook
from gateway.pictures import Pictures
from gateway.request_log import one_line_per_request
from gateway.rest import openapi, routes
from gateway.settings import Settings
from gateway.wecom import callback

MOST_BODY_BYTES = 1024 * 1024
# Pages run only their own script and are framed by nobody.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline';"
    " script-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def create_app(
    settings: Settings,
    corps: Corps,
    edge: Edge,
    hub: Hub,
    channels: Mapping[str, grpc.aio.Channel],
    ready: Callable[[], bool],
    draining: Callable[[], bool] = lambda: False,
) -> web.Application:
    @web.middleware
    async def hang_up_when_draining(request: web.Request, handler: Handler) -> web.StreamResponse:
        """A kept connection would bring its next request here, past whoever saw that we are no longer ready."""
        response = await handler(request)
        if draining() and not response.prepared:
            response.force_close()
        return response

    app = web.Application(middlewares=[hang_up_when_draining, one_line_per_request], client_max_size=MOST_BODY_BYTES)
    doorkeeper = Doorkeeper(settings, corps, channels["identity"])
    app[app_keys.SETTINGS] = settings
    app[app_keys.CORPS] = corps
    app[app_keys.EDGE] = edge
    app[app_keys.DOORKEEPER] = doorkeeper

    callback.add_routes(app)
    webhook.add_routes(app)
    auth.add_routes(app, doorkeeper)
    stream.add_routes(app, hub)
    routes.add_routes(app, channels)
    files.add_routes(app, channels)
    qr_codes.add_routes(app, channels, Pictures(settings.picture_origins))
    catalogue.add_routes(app)
    pages.add_routes(app, pages.Pages())
    _add_documents(app)
    add_health_routes(app, lambda: {"ready": ready() and not draining()})
    return app


def _add_documents(app: web.Application) -> None:
    contract = json.dumps(openapi.document(importlib.metadata.version("bihuan")), ensure_ascii=False)
    page = importlib.resources.files("gateway").joinpath("docs.html").read_text()

    async def show_contract(_: web.Request) -> web.Response:
        return web.Response(text=contract, content_type="application/json")

    async def show_docs(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers=PAGE_HEADERS)

    async def show_start(_: web.Request) -> web.Response:
        return web.HTTPFound("/console/")

    app.router.add_get("/api/v1/openapi.json", show_contract)
    app.router.add_get("/api/docs", show_docs)
    app.router.add_get("/", show_start)
