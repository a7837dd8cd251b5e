"""The RPCs over a service's files: content comes and goes in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from bihuan.operations.v1 import file_service_pb2 as pb
from bihuan.operations.v1 import file_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import Invalid
from chassis.files import File, Files
from chassis.kernel.caller import Caller, caller
from chassis.moments import stamp

# Of a message; gRPC takes no more than 4 MiB.
PIECE_BYTES = 256 * 1024


register = grpc_pb.add_FileServiceServicer_to_server


class FileServicer(grpc_pb.FileServiceServicer):
    def __init__(self, service: str, files: Files) -> None:
        self._service, self._files = service, files

    async def UploadFile(
        self, requests: AsyncIterator[pb.UploadFileRequest], context: Any
    ) -> AsyncIterator[pb.UploadFileResponse]:
        """A call that ends while pieces are on their way may lose its reason: what comes is read to the end."""
        me = caller()
        assert me.confined_to in (None, me.userid)  # what they bring is theirs
        try:
            file = await self._take(me, requests)
        except Exception:
            yield pb.UploadFileResponse(refused=True)
            async for _ in requests:
                pass
            raise
        yield pb.UploadFileResponse(file=self._shown(file))

    async def _take(self, me: Caller, requests: AsyncIterator[pb.UploadFileRequest]) -> File:
        first = await anext(requests, None)
        if first is None or first.WhichOneof("part") != "head":
            raise Invalid("HEAD_MISSING", field="head", expected="the head before the content")
        head = first.head
        size = head.size if head.HasField("size") else None
        name = paging.text(head.name, "name", most=200)
        return await self._files.upload(me, head.purpose, name, size, _content(requests))

    async def DownloadFile(
        self, request: pb.DownloadFileRequest, context: Any
    ) -> AsyncIterator[pb.DownloadFileResponse]:
        file, parts = await self._files.find(caller(), paging.uuid(request.file_id, "fileId"))
        yield pb.DownloadFileResponse(file=self._shown(file))
        async for part in self._files.read(file, parts):
            for start in range(0, len(part), PIECE_BYTES):
                yield pb.DownloadFileResponse(content=part[start : start + PIECE_BYTES])

    def _shown(self, file: File) -> pb.File:
        return pb.File(
            service=self._service,
            file_id=file.file_id,
            name=file.name,
            content_type=file.content_type,
            size=file.size,
            sha256=file.sha256,
            purpose=file.purpose,
            created_by=file.created_by,
            created_at=stamp(file.created_at),
            expires_at=stamp(file.expires_at),
        )


async def _content(requests: AsyncIterator[pb.UploadFileRequest]) -> AsyncIterator[bytes]:
    async for one in requests:
        if one.WhichOneof("part") != "content":
            raise Invalid("HEAD_TWICE", field="head", expected="content after the head")
        yield one.content
