"""Files of welcome rules, kept at WeCom ahead of the welcomes that need them: no welcome waits for an upload of its
own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

from chassis.errors import DomainError
from chassis.files import Files
from chassis.logs import log
from chassis.pool import Pool
from chassis.wecom.client import Upload, WeComAway, WeComError
from engagement.db import media as db

# WeCom keeps what was uploaded for three days; it is brought anew a day before they end.
KEPT, RENEWED = timedelta(days=3), timedelta(days=2)
# Longer than an upload may take.
LEASE = timedelta(minutes=2)
UPLOAD_SECONDS = 60.0
AGAIN, AGAIN_AFTER_REFUSAL = timedelta(seconds=20), timedelta(hours=1)
AT_ONCE = 4


class Uploader(Protocol):
    async def upload(self, corp_id: str, kind: str, file: Upload, seconds: float) -> str:
        """Returns the media_id. `kind`: image or file. Raises WeComError or WeComAway."""
        ...


class Media:
    def __init__(self, pool: Pool, files: Files, uploader: Uploader) -> None:
        self._pool, self._files, self._uploader = pool, files, uploader

    async def upload_due(self) -> int:
        """Fits a loop; returns how many were tried. At once, so that all end inside their lease."""
        async with self._pool.acquire() as connection:
            keys = await db.claim(connection, LEASE, AT_ONCE)
        ended = await asyncio.gather(*map(self._upload, keys), return_exceptions=True)
        for one in ended:
            if isinstance(one, BaseException):
                raise one
        return len(keys)

    async def _upload(self, key: db.Key) -> None:
        corp_id, file_id, kind = key
        begun, errcode, pause = datetime.now(UTC), None, AGAIN
        try:
            file, parts = await self._files.own(corp_id, file_id)
            content = b"".join([part async for part in self._files.read(file, parts)])
            upload = Upload(file.name, file.content_type, content)
            media_id = await self._uploader.upload(corp_id, kind, upload, UPLOAD_SECONDS)
        except WeComError as error:
            errcode = None if error.passing else error.errcode
            pause = AGAIN if error.passing else AGAIN_AFTER_REFUSAL
            log.warning("media_refused", corp_id=corp_id, file_id=file_id, errcode=error.errcode)
        except (WeComAway, DomainError) as error:
            log.warning("media_not_uploaded", corp_id=corp_id, file_id=file_id, error=repr(error))
        else:
            async with self._pool.acquire() as connection:
                await db.uploaded(connection, key, media_id, begun + KEPT, begun + RENEWED)
            return
        async with self._pool.acquire() as connection:
            await db.not_uploaded(connection, key, errcode, datetime.now(UTC) + pause)
