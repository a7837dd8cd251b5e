"""What the sandbox's own interface reads from a request."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from deploy.sandbox.world import Corp, World


async def body_of(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise web.HTTPBadRequest(text="the body is not JSON") from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    return body


def corp_of(world: World, body: dict[str, Any]) -> Corp:
    """The corp that is named; the first one without a name."""
    corp = world.corps.get(body["corp_id"]) if "corp_id" in body else next(iter(world.corps.values()))
    if corp is None:
        raise web.HTTPBadRequest(text="corp_id: unknown")
    return corp
