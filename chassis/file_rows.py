"""The rows of files and of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from chassis.pool import Connection, Pool, Row
from chassis.purposes import Purpose


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    object: str
    size: int


async def add_parts(connection: Connection, corp_id: str, file_id: str, parts: Sequence[Part]) -> None:
    await connection.execute(
        """
        insert into file_parts (corp_id, file_id, part, object, size)
        select $1, $2, part, object, size
        from unnest($3::int[], $4::text[], $5::int[]) as t(part, object, size)
        """,
        corp_id,
        file_id,
        [one.number for one in parts],
        [one.object for one in parts],
        [one.size for one in parts],
    )


async def parts_of(connection: Connection, corp_id: str, file_id: str) -> Sequence[Part]:
    rows = await connection.fetch(
        """
        select part, object, size
        from file_parts
        where (corp_id, file_id) = ($1, $2)
        order by part
        """,
        corp_id,
        file_id,
    )
    return [Part(row["part"], row["object"], row["size"]) for row in rows]


async def finish(
    connection: Connection, corp_id: str, file_id: str, purpose: Purpose, content_type: str, sha256: str
) -> None:
    """The file is whole: its parts are all there, and whoever may see it does."""
    await connection.execute(
        """
        update files f
        set content_type = $3,
            sha256 = $4,
            ready_at = now(),
            expires_at = now() + $5::interval,
            size = (
                select coalesce(sum(p.size), 0)
                from file_parts p
                where (p.corp_id, p.file_id) = (f.corp_id, f.file_id)
            )
        where (corp_id, file_id) = ($1, $2)
        """,
        corp_id,
        file_id,
        content_type,
        sha256,
        purpose.kept,
    )


async def expire(connection: Connection, corp_id: str, file_ids: Sequence[str], after: timedelta) -> None:
    """Files that will not become whole; swept a little later, when nobody writes to them any more."""
    await connection.execute(
        """
        update files
        set expires_at = now() + $3::interval
        where corp_id = $1 and file_id = any($2::uuid[])
        """,
        corp_id,
        sorted(file_ids),
        after,
    )


async def whole(connection: Connection, corp_id: str, file_id: str) -> Row | None:
    """Of a file that is whole and whose time is not over."""
    row: Row | None = await connection.fetchrow(
        """
        select *
        from files
        where (corp_id, file_id) = ($1, $2)
          and ready_at is not null
          and (expires_at is null or expires_at > now())
        """,
        corp_id,
        file_id,
    )
    return row


async def expired(pool: Pool, limit: int) -> Sequence[Row]:
    """Those whose time is over, the longest first."""
    rows: Sequence[Row] = await pool.fetch(
        """
        select corp_id, file_id
        from files
        where expires_at < now()
        order by expires_at
        limit $1
        """,
        limit,
    )
    return rows


async def delete(pool: Pool, corp_id: str, file_id: str) -> None:
    await pool.execute(
        """
        delete from files
        where (corp_id, file_id) = ($1, $2)
        """,
        corp_id,
        file_id,
    )
