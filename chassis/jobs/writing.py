"""A step's share of a job's files: in the store first, in the rows with the step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from chassis import file_rows, jobs
from chassis.blobs import PART_BYTES, Blobs
from chassis.file_rows import Part
from chassis.outbox import Tx
from chassis.pool import Pool
from chassis.purposes import JOB_RESULT


@dataclass(frozen=True, slots=True)
class Written:
    """Parts that are in the store and not yet in rows."""

    corp_id: str
    file_id: str
    parts: Sequence[Part]
    content_type: str
    # Of the whole file, once it is whole.
    sha256: str
    # The job has ended, and nothing was ever written to it.
    is_empty: bool

    async def save(self, tx: Tx) -> None:
        connection, corp_id, file_id = tx.connection, self.corp_id, self.file_id
        await file_rows.add_parts(connection, corp_id, file_id, self.parts)
        if self.is_empty:
            await file_rows.expire(connection, corp_id, [file_id], jobs.SWEEP_AFTER)
        elif self.sha256:
            await file_rows.finish(connection, corp_id, file_id, JOB_RESULT, self.content_type, self.sha256)

    async def undo(self, blobs: Blobs) -> None:
        for part in self.parts:
            await blobs.delete_part(self.corp_id, self.file_id, part.object)


async def write(
    pool: Pool, blobs: Blobs, corp_id: str, file_id: str, content: bytes, content_type: str, ended: bool
) -> Written:
    """Puts `content` behind what the file has; `ended`: it is whole then."""
    async with pool.acquire() as connection:
        before = await file_rows.parts_of(connection, corp_id, file_id)
    parts = []
    for number, start in enumerate(range(0, len(content), PART_BYTES), start=len(before)):
        piece = content[start : start + PART_BYTES]
        parts.append(Part(number, await blobs.put(corp_id, file_id, number, piece), len(piece)))
    is_empty = ended and not before and not parts
    sha256 = ""
    if ended and not is_empty:
        digest = hashlib.sha256()
        for part in (*before, *parts):
            digest.update(await blobs.get(corp_id, file_id, part.number, part.object))
        sha256 = digest.hexdigest()
    return Written(corp_id, file_id, parts, content_type, sha256, is_empty)
