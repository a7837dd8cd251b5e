"""Mall webhooks: the path says whose shop it is, the platform's adapter verifies and reads."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from chassis.errors import NotFound
from gateway import app_keys
from gateway.edge import read_body
from gateway.mall.platforms import PLATFORMS
from gateway.mall.reading import read


def add_routes(app: web.Application) -> None:
    app.router.add_post("/mall/{corp_id}/{mall_id}", receive)


async def receive(request: web.Request) -> web.Response:
    """Acknowledges when the message is durable, in the platform's own words."""
    corp = request.app[app_keys.CORPS].find(request.match_info["corp_id"])
    mall = corp.mall_of(request.match_info["mall_id"]) if corp is not None else None
    if corp is None or mall is None:
        raise NotFound("MALL_UNKNOWN", "no such corp or mall is configured")
    adapter = PLATFORMS[mall.platform]
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="expected application/json")
    # Verified over the bytes as they came; parsed only afterwards.
    body = await read_body(request, adapter.MOST_BYTES)
    adapter.verify(mall, request.headers, body)
    edge = request.app[app_keys.EDGE]
    message = read(adapter, edge, corp.corp_id, mall, body, datetime.now(UTC))
    if message is not None:
        await edge.accept(message.fact, corp_id=corp.corp_id, content=message.content)
    edge.last_seen.note(corp.corp_id, f"mall.{mall.id}")
    return adapter.acknowledge()
