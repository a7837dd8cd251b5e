"""The blob store: content of files, in sealed parts, wherever `BIHUAN_BLOB_URL` says.

An object is one part of one file of one corp: `<service>/<corp>/<file>/<part>-<random>`. It is sealed for its place, so
that it opens nowhere else, and written whole or not at all.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from chassis.errors import Unavailable
from chassis.logs import log
from chassis.sealing import Sealer

# Of content, before sealing: what a process holds of a file at a time.
PART_BYTES = 4 * 1024 * 1024
CALL_SECONDS = 10


class Blobs:
    """`url`: file:///folder, s3://bucket/prefix, or what else obstore takes; keys of S3 come from AWS_* variables."""

    def __init__(self, url: str, service: str, sealer: Sealer) -> None:
        self._url, self._service, self._sealer = url, service, sealer
        self._opened: Any = None

    async def put(self, corp_id: str, file_id: str, part: int, content: bytes) -> str:
        """Writes a part and returns its object's name. Raises Unavailable.

        Who is cancelled meanwhile goes on when the part is written or not: it is never written later.
        """
        name = f"{part:08d}-{secrets.token_hex(6)}"
        sealed = self._sealer.seal_bytes(_place(corp_id, file_id, part), content)
        path = self._path(corp_id, file_id, name)
        writing = asyncio.ensure_future(_awaited(obstore.put_async(self._store, path, sealed, use_multipart=False)))
        async with _told():
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait([writing])
                raise
        return name

    async def get(self, corp_id: str, file_id: str, part: int, name: str) -> bytes:
        """Raises Unavailable, and Invalid for content that was changed."""
        async with _told():
            found = await obstore.get_async(self._store, self._path(corp_id, file_id, name))
            sealed = bytes(await found.bytes_async())
        return self._sealer.open_bytes(_place(corp_id, file_id, part), sealed)

    async def delete(self, corp_id: str, file_id: str) -> None:
        """Deletes all there is of a file, also what nobody committed. Safe to repeat."""
        async with _told():
            async for found in obstore.list(self._store, prefix=self._path(corp_id, file_id)):
                for one in found:
                    await self._delete(one["path"])

    async def delete_part(self, corp_id: str, file_id: str, name: str) -> None:
        async with _told():
            await self._delete(self._path(corp_id, file_id, name))

    async def _delete(self, path: str) -> None:
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return

    def _path(self, *names: str) -> str:
        return "/".join((self._service, *names))

    @property
    def _store(self) -> Any:
        """Opened at its first use: a process that handles no files needs no store."""
        if self._opened is None:
            if self._url.startswith("file:"):
                self._opened = from_url(self._url, mkdir=True, automatic_cleanup=True)  # type: ignore[call-overload]
            else:
                self._opened = from_url(
                    self._url,
                    # Plain HTTP only where the operator names such an endpoint; what goes over it is sealed.
                    client_options={"timeout": timedelta(seconds=CALL_SECONDS), "allow_http": True},
                    retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=CALL_SECONDS)},
                )
        return self._opened


async def _awaited(work: Awaitable[object]) -> None:
    await work


def _place(corp_id: str, file_id: str, part: int) -> str:
    return f"{corp_id}/{file_id}/{part}"


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """What the store raises may tell of addresses and keys: it is logged, and not passed on."""
    try:
        yield
    except (BaseError, OSError) as error:
        log.warning("blob_store_failed", error=type(error).__name__, detail=str(error)[:500])
        raise Unavailable("FILES_AWAY", "the file store does not answer, try again") from None
