"""The picture of a live code, for whoever may see the code: pages show it, and people download it to print it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from urllib.parse import quote

import grpc
from aiohttp import web
from bihuan.acquisition.v1 import live_code_service_pb2 as pb
from bihuan.acquisition.v1 import live_code_service_pb2_grpc as grpc_pb

from chassis.errors import Forbidden, NotFound
from chassis.kernel.access import access_of
from gateway import app_keys
from gateway.files import metadata_of
from gateway.pictures import Picture, Pictures

PATH = "/api/v1/live-codes/{live_code_id}/qr-code"
METHOD = pb.DESCRIPTOR.services_by_name["LiveCodeService"].methods_by_name["GetLiveCode"]
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}


def add_routes(app: web.Application, channels: Mapping[str, grpc.aio.Channel], pictures: Pictures) -> None:
    live_codes = grpc_pb.LiveCodeServiceStub(channels["acquisition"])
    roles = access_of(METHOD).roles

    async def show(request: web.Request) -> web.Response:
        caller = await request.app[app_keys.DOORKEEPER].caller(request)
        if caller.role not in roles:
            raise Forbidden("ROLE_NOT_ALLOWED", f"{caller.role} may not do this", expected=", ".join(sorted(roles)))
        asked = pb.GetLiveCodeRequest(live_code_id=request.match_info["live_code_id"])
        settings = request.app[app_keys.SETTINGS]
        answer = await live_codes.GetLiveCode(
            asked, timeout=settings.call_seconds, metadata=metadata_of(request, caller)
        )
        if not answer.live_code.qr_code:
            raise NotFound("QR_CODE_NOT_MADE", field="liveCodeId", expected="a live code that WeCom has made")
        picture = await pictures.fetch(answer.live_code.qr_code)
        headers = _headers(picture, answer.live_code.name)
        if headers["ETag"] in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers={"ETag": headers["ETag"]})
        return web.Response(body=picture.content, headers=headers)

    async def closing(_: web.Application) -> AsyncIterator[None]:
        yield
        await pictures.close()

    app.router.add_get(PATH, show)
    app.cleanup_ctx.append(closing)


def _headers(picture: Picture, name: str) -> dict[str, str]:
    file = quote(f"{name}.{ENDINGS[picture.content_type]}", safe="")
    return {
        "Content-Type": picture.content_type,
        "Content-Disposition": f"inline; filename*=UTF-8''{file}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{sha256(picture.content).hexdigest()}"',
    }
