"""Files in and out of a service: streams of bytes through the door, which holds no more than a piece of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

import grpc
import orjson
import structlog
from aiohttp import ClientPayloadError, web
from bihuan.operations.v1 import file_service_pb2 as pb
from bihuan.operations.v1 import file_service_pb2_grpc as grpc_pb
from google.protobuf.json_format import MessageToDict

from chassis.errors import Forbidden, Invalid, NotFound, TimedOut
from chassis.kernel.access import access_of
from chassis.kernel.caller import Caller
from chassis.rpc import call_metadata
from gateway import app_keys

FILES = "/api/v1/services/{service}/files"
# A whole file, either way; and the pause between two pieces of one that comes in.
TRANSFER_SECONDS = 1800.0
PIECE_SECONDS = 30.0
# Of a message to the service, which takes no more than 4 MiB.
PIECE_BYTES = 256 * 1024
Upload: TypeAlias = grpc.aio.StreamStreamCall[pb.UploadFileRequest, pb.UploadFileResponse]


def add_routes(app: web.Application, channels: Mapping[str, grpc.aio.Channel]) -> None:
    stubs = {owner: grpc_pb.FileServiceStub(channel) for owner, channel in channels.items()}
    methods = pb.DESCRIPTOR.services_by_name["FileService"].methods_by_name
    uploaders, readers = (access_of(methods[name]).roles for name in ("UploadFile", "DownloadFile"))

    def stub_of(request: web.Request) -> Any:
        stub = stubs.get(request.match_info["service"])
        if stub is None:
            raise NotFound("SERVICE_UNKNOWN", field="service", expected=", ".join(sorted(stubs)))
        return stub

    async def upload(request: web.Request) -> web.Response:
        caller = await _allowed(request, uploaders)
        head = _head(request)
        call: Upload = stub_of(request).UploadFile(timeout=TRANSFER_SECONDS, metadata=metadata_of(request, caller))
        try:
            file = await _sent(call, head, request)
        except BaseException:
            call.cancel()  # cut in the middle: the service keeps nothing
            raise
        body = orjson.dumps(MessageToDict(pb.UploadFileResponse(file=file), always_print_fields_with_no_presence=True))
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def download(request: web.Request) -> web.StreamResponse:
        caller = await _allowed(request, readers)
        asked = pb.DownloadFileRequest(file_id=request.match_info["file_id"])
        call = stub_of(request).DownloadFile(asked, timeout=TRANSFER_SECONDS, metadata=metadata_of(request, caller))
        try:
            pieces = aiter(call)
            file = (await anext(pieces)).file
            headers = _headers(file)
            if headers["ETag"] in request.headers.get("If-None-Match", ""):
                return web.Response(status=304, headers={"ETag": headers["ETag"]})
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            if request.method != "HEAD":
                await _pass_on(pieces, response, request)
            return response
        finally:
            call.cancel()

    app.router.add_post(FILES, upload)
    app.router.add_get(FILES + "/{file_id}", download)


async def _allowed(request: web.Request, roles: frozenset[str]) -> Caller:
    caller = await request.app[app_keys.DOORKEEPER].caller(request)
    if caller.role not in roles:
        raise Forbidden("ROLE_NOT_ALLOWED", f"{caller.role} may not do this", expected=", ".join(sorted(roles)))
    return caller


def _head(request: web.Request) -> pb.UploadFileHead:
    for name in request.query:
        if name not in ("purpose", "name"):
            raise Invalid("FIELD_UNKNOWN", f"there is no field {name}", field=name, expected="purpose, name")
    given = {name: request.query.getall(name, []) for name in ("purpose", "name")}
    for name, values in given.items():
        if len(values) != 1 or not values[0] or "\x00" in values[0] or not _encodable(values[0]):
            raise Invalid("FIELD_MISSING" if not values else "FIELD_WRONG", field=name, expected="one value")
    return pb.UploadFileHead(purpose=given["purpose"][0], name=given["name"][0], size=request.content_length)


def _encodable(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


async def _sent(call: Upload, head: pb.UploadFileHead, request: web.Request) -> pb.File:
    """A service that refuses says so before all was sent, or before any of it came."""
    answered = asyncio.ensure_future(_read(call))
    try:
        await call.write(pb.UploadFileRequest(head=head))
        async for piece in _pieces(request, answered):
            await call.write(pb.UploadFileRequest(content=piece))
        await call.done_writing()
    except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
        pass  # the call has ended, and says why by its answer
    first = await answered
    if first.refused:
        await call.read()  # raises the reason
    file: pb.File = first.file
    return file


async def _read(call: Upload) -> Any:
    return await call.read()


async def _pieces(request: web.Request, answered: asyncio.Future[Any]) -> AsyncIterator[bytes]:
    """The body, until its end or until there is an answer."""
    while True:
        reading = asyncio.ensure_future(request.content.readany())
        try:
            await asyncio.wait({reading, answered}, timeout=PIECE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if answered.done():
                return
            if not reading.done():
                raise TimedOut("UPLOAD_STALLED", f"nothing came for {PIECE_SECONDS:.0f} s", field="body")
            piece = reading.result()
        except (ConnectionResetError, ClientPayloadError):
            raise Invalid("UPLOAD_CUT", "the connection ended before the file did", field="body") from None
        finally:
            reading.cancel()
        if not piece:
            return
        for start in range(0, len(piece), PIECE_BYTES):
            yield piece[start : start + PIECE_BYTES]


async def _pass_on(
    pieces: AsyncIterator[pb.DownloadFileResponse], response: web.StreamResponse, request: web.Request
) -> None:
    """What breaks in the middle breaks the connection: half a file must not look like a whole one."""
    try:
        async for one in pieces:
            await response.write(one.content)
        await response.write_eof()
    except grpc.aio.AioRpcError as error:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError from error


def _headers(file: pb.File) -> dict[str, str]:
    """Nothing of ours runs from a file, whatever it holds."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in file.name)
    return {
        "Content-Type": file.content_type or "application/octet-stream",
        "Content-Length": str(file.size),
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{file.sha256}"',
    }


def metadata_of(request: web.Request, caller: Caller) -> list[tuple[str, str]]:
    """What a call to a service carries for this request."""
    context = structlog.contextvars.get_contextvars()
    traced = [("request-id", context.get("request_id", "")), ("traceparent", context.get("traceparent", ""))]
    return call_metadata(request.app[app_keys.SETTINGS].service_key, [*caller.metadata(), *traced])
