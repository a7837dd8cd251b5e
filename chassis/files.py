"""Files of one service: rows that say what they are, and their content in the blob store.

A file is nobody's to see until it is whole. One that never became so, and one whose time is over, is swept: its objects
first, then its row, so that nothing stays behind in the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from uuid_utils import uuid7

from chassis import file_rows
from chassis.blobs import PART_BYTES, Blobs
from chassis.errors import Forbidden, Invalid, Limited, NotFound, TooLarge
from chassis.file_rows import Part
from chassis.kernel.caller import Caller
from chassis.logs import log
from chassis.pool import Connection, Pool, Row
from chassis.purposes import HEAD_BYTES, JOB_RESULT, Purpose, type_of
from chassis.sealing import Sealer

# A file that is being brought has so long to become whole; the door gives it half of that.
UPLOAD_SECONDS = 3600
# Each holds a part in memory.
UPLOADS_AT_ONCE = 8
SWEEP_FILES = 100


@dataclass(frozen=True, slots=True)
class File:
    corp_id: str
    file_id: str
    purpose: str
    name: str
    content_type: str
    size: int
    sha256: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None


class Files:
    """`add` purposes before the service runs."""

    def __init__(self, pool: Pool, blobs: Blobs, sealer: Sealer) -> None:
        self._pool, self.blobs, self._sealer = pool, blobs, sealer
        self._purposes = {JOB_RESULT.name: JOB_RESULT}
        self._uploads = 0

    def add(self, purpose: Purpose) -> None:
        self._purposes[purpose.name] = purpose

    async def upload(
        self, me: Caller, purpose_name: str, name: str, size: int | None, content: AsyncIterator[bytes]
    ) -> File:
        """Takes a file in, a part at a time. What is cut off, or refused at any point, leaves nothing.

        Raises Forbidden, Invalid for a type that the purpose does not take, TooLarge, Limited while too many are under
        way.
        """
        purpose = self._purpose(me, purpose_name, size)
        if self._uploads >= UPLOADS_AT_ONCE:
            raise Limited("TOO_MANY_UPLOADS", "too many files are being brought at once, try again")
        self._uploads += 1
        file_id = str(uuid7())
        try:
            await self._begin(me, file_id, purpose, name)
            return await self._take(me, file_id, purpose, content)
        except BaseException:
            await self._forget(me.corp_id, file_id)
            raise
        finally:
            self._uploads -= 1

    def _purpose(self, me: Caller, name: str, size: int | None) -> Purpose:
        offered = sorted(one.name for one in self._purposes.values() if one.uploaders)
        purpose = self._purposes.get(name)
        if purpose is None or not purpose.uploaders:
            raise Invalid("PURPOSE_UNKNOWN", field="purpose", expected=" or ".join(offered) or "none here")
        if me.role not in purpose.uploaders:
            raise Forbidden("ROLE_NOT_ALLOWED", field="purpose", expected=", ".join(sorted(purpose.uploaders)))
        if size is not None:
            _check_size(size, purpose)
        return purpose

    async def _begin(self, me: Caller, file_id: str, purpose: Purpose, name: str) -> None:
        async with self._pool.acquire() as connection:
            await self.create(connection, me, file_id, purpose, name, "", seconds=UPLOAD_SECONDS)

    async def create(
        self,
        connection: Connection,
        me: Caller,
        file_id: str,
        purpose: Purpose,
        name: str,
        content_type: str,
        *,
        seconds: float | None = None,
    ) -> None:
        """A file that is not whole yet; it is swept after `seconds` unless it is whole by then."""
        await connection.execute(
            """
            insert into files
                (corp_id, file_id, purpose, sealed_name, content_type, created_by, created_role, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))
            """,
            me.corp_id,
            file_id,
            purpose.name,
            self._sealer.seal(me.corp_id, name),
            content_type,
            me.name,
            me.role,
            seconds,
        )

    async def _take(self, me: Caller, file_id: str, purpose: Purpose, content: AsyncIterator[bytes]) -> File:
        digest, parts, content_type, size = hashlib.sha256(), list[Part](), "", 0
        async for piece in in_parts(content):
            if not parts:
                content_type = _checked_type(piece, purpose)
            size += len(piece)
            _check_size(size, purpose)
            digest.update(piece)
            name = await self.blobs.put(me.corp_id, file_id, len(parts), piece)
            parts.append(Part(len(parts), name, len(piece)))
        if not parts:
            raise Invalid("FILE_EMPTY", field="body", expected="a file")
        async with self._pool.acquire() as connection, connection.transaction():
            await file_rows.add_parts(connection, me.corp_id, file_id, parts)
            await file_rows.finish(connection, me.corp_id, file_id, purpose, content_type, digest.hexdigest())
            row = await file_rows.whole(connection, me.corp_id, file_id)
        assert row is not None
        return self._file(row)

    async def _forget(self, corp_id: str, file_id: str) -> None:
        """Now if that can be; otherwise the sweeper does."""
        try:
            await self.blobs.delete(corp_id, file_id)
            await file_rows.delete(self._pool, corp_id, file_id)
        except Exception as error:
            log.warning("file_left_to_the_sweeper", corp_id=corp_id, file_id=file_id, error=repr(error))

    async def find(self, me: Caller, file_id: str) -> tuple[File, Sequence[Part]]:
        """Raises NotFound for a file that there is not, or not for this caller."""
        async with self._pool.acquire() as connection:
            row = await file_rows.whole(connection, me.corp_id, file_id)
            parts = await file_rows.parts_of(connection, me.corp_id, file_id) if row is not None else ()
        if row is None or not self._may_see(me, row):
            raise NotFound("FILE_NOT_FOUND", field="fileId")
        return self._file(row), parts

    async def own(self, corp_id: str, file_id: str) -> tuple[File, Sequence[Part]]:
        """For the service's own use. Raises NotFound."""
        async with self._pool.acquire() as connection:
            row = await file_rows.whole(connection, corp_id, file_id)
            parts = await file_rows.parts_of(connection, corp_id, file_id)
        if row is None:
            raise NotFound("FILE_NOT_FOUND", field="fileId")
        return self._file(row), parts

    def _may_see(self, me: Caller, row: Row) -> bool:
        """What was made in another role may hold what this one does not show. A purpose that only another release
        knows has no readers of its own."""
        purpose = self._purposes.get(row["purpose"])
        # Asked in any case: an answer to a confined caller must have had their scope applied.
        own = row["created_by"] == (me.confined_to or me.name) and row["created_role"] == me.role
        return own or me.role == "ADMIN" or (purpose is not None and me.role in purpose.readers)

    async def read(self, file: File, parts: Iterable[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            yield await self.blobs.get(file.corp_id, file.file_id, part.number, part.object)

    def _file(self, row: Row) -> File:
        return File(
            corp_id=row["corp_id"],
            file_id=row["file_id"],
            purpose=row["purpose"],
            name=self._sealer.open(row["corp_id"], row["sealed_name"]),
            content_type=row["content_type"],
            size=row["size"],
            sha256=row["sha256"],
            created_by=row["created_by"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
        )

    async def sweep(self) -> int:
        """Deletes files whose time is over; returns how many."""
        rows = await file_rows.expired(self._pool, SWEEP_FILES)
        for row in rows:
            await self.blobs.delete(row["corp_id"], row["file_id"])
            await file_rows.delete(self._pool, row["corp_id"], row["file_id"])
        return len(rows)


async def in_parts(content: AsyncIterator[bytes], most: int = PART_BYTES) -> AsyncIterator[bytes]:
    """The same bytes in pieces of `most`, the last one shorter; no more than two of them are held."""
    held = bytearray()
    async for piece in content:
        held += piece
        while len(held) >= most:
            yield bytes(held[:most])
            del held[:most]
    if held:
        yield bytes(held)


def _check_size(size: int, purpose: Purpose) -> None:
    if size > purpose.most_bytes:
        raise TooLarge("FILE_TOO_LARGE", field="body", expected=f"at most {purpose.most_bytes} bytes")


def _checked_type(beginning: bytes, purpose: Purpose) -> str:
    found = type_of(beginning[:HEAD_BYTES])
    if found not in purpose.types:
        expected = " or ".join(sorted(purpose.types))
        raise Invalid("FILE_TYPE_WRONG", "its first bytes are of no such file", field="body", expected=expected)
    return found
