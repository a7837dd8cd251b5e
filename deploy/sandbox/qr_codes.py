"""The pictures of contact ways: real codes, to be scanned by a camera. WeCom keeps them on a host of its own."""

from __future__ import annotations

import io

import segno
from aiohttp import web

from deploy.sandbox.people import ContactWay
from deploy.sandbox.world import Corp, World

PATH = "/qr/{config_id}"
# What a phone reads; WeCom's own codes lead there.
LINK = "https://work.weixin.qq.com/u/{config_id}"


def address(corp: Corp, way: ContactWay) -> str:
    return f"{corp.config['api_base']}{PATH.format(config_id=way.config_id)}"


def add_routes(app: web.Application, world: World) -> None:
    async def show(request: web.Request) -> web.Response:
        config_id = request.match_info["config_id"]
        if not any(config_id in corp.contact_ways for corp in world.corps.values()):
            raise web.HTTPNotFound
        picture = io.BytesIO()
        segno.make(LINK.format(config_id=config_id), error="m").save(picture, kind="png", scale=8, border=4)
        return web.Response(body=picture.getvalue(), content_type="image/png")

    app.router.add_get(PATH, show)
