"""Jobs: long work that somebody asked for, done step by step, seen and cancelled while it runs.

    exporting = service.job("customer-export", runner, members)
    …
    row = await exporting.create(tx, me, request, title)

A step is committed with the place where the next one begins, so that a crash repeats at most the step it fell into,
and none of its effects: they are written in that transaction too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from chassis import file_rows
from chassis.errors import NotFound, Precondition
from chassis.pool import Connection, Pool, Row

OPEN_STATES = ("QUEUED", "RUNNING")
ANNOUNCE_SECONDS = 1.0
KEEP_DAYS = 90
FORGET_ROWS = 1000
# A step that was under way when its job ended may still write a part.
SWEEP_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Filter:
    created_by: str | None = None
    kind: str | None = None
    state: str | None = None


async def insert(
    connection: Connection,
    corp_id: str,
    job_id: str,
    kind: str,
    *,
    title: str,
    sealed_request: bytes,
    created_by: str,
    created_role: str,
    result_file_id: str | None,
    error_file_id: str | None,
) -> Row:
    row: Row = await connection.fetchrow(  # type: ignore[assignment]
        """
        insert into jobs
            (corp_id, job_id, kind, title, sealed_request, created_by, created_role, result_file_id, error_file_id,
             announced_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now())
        returning *
        """,
        corp_id,
        job_id,
        kind,
        title,
        sealed_request,
        created_by,
        created_role,
        result_file_id,
        error_file_id,
    )
    return row


async def count_open(connection: Connection, corp_id: str, created_by: str) -> int:
    count: int = await connection.fetchval(
        """
        select count(*)
        from jobs
        where corp_id = $1 and created_by = $2 and state = any($3::text[])
        """,
        corp_id,
        created_by,
        list(OPEN_STATES),
    )
    return count


async def page(connection: Connection, corp_id: str, only: Filter, before: str | None, limit: int) -> Sequence[Row]:
    """Newest first."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from jobs
        where corp_id = $1
          and ($2::uuid is null or job_id < $2)
          and ($3::text is null or created_by = $3)
          and ($4::text is null or kind = $4)
          and ($5::text is null or state = $5)
        order by job_id desc
        limit $6
        """,
        corp_id,
        before,
        only.created_by,
        only.kind,
        only.state,
        limit,
    )
    return rows


async def get(connection: Connection, corp_id: str, job_id: str, created_by: str | None) -> Row:
    """Raises NotFound for one that there is not, or that somebody else asked for."""
    row: Row | None = await connection.fetchrow(
        """
        select *
        from jobs
        where (corp_id, job_id) = ($1, $2) and ($3::text is null or created_by = $3)
        """,
        corp_id,
        job_id,
        created_by,
    )
    if row is None:
        raise NotFound("JOB_NOT_FOUND", field="jobId")
    return row


async def cancel(connection: Connection, corp_id: str, job_id: str, created_by: str | None) -> tuple[Row, bool]:
    """The job, and whether this cancelled it. Raises Precondition for one that has ended otherwise."""
    row: Row | None = await connection.fetchrow(
        """
        update jobs
        set state = 'CANCELLED', ended_at = now(), announced_at = now()
        where (corp_id, job_id) = ($1, $2)
          and ($3::text is null or created_by = $3)
          and state = any($4::text[])
        returning *
        """,
        corp_id,
        job_id,
        created_by,
        list(OPEN_STATES),
    )
    if row is not None:
        await drop_files(connection, row)
        return row, True
    row = await get(connection, corp_id, job_id, created_by)
    if row["state"] != "CANCELLED":
        raise Precondition("JOB_ENDED", f"the job has {row['state'].lower()}", field="jobId", expected="one that runs")
    return row, False


async def drop_files(connection: Connection, row: Row) -> None:
    """What an unfinished job had written is nobody's."""
    file_ids = [one for one in (row["result_file_id"], row["error_file_id"]) if one]
    if file_ids:
        await file_rows.expire(connection, row["corp_id"], file_ids, SWEEP_AFTER)


async def forget_old(pool: Pool) -> int:
    """Deletes jobs that ended three months ago."""
    status = await pool.execute(
        """
        delete from jobs
        where ctid in (
            select ctid
            from jobs
            where ended_at < now() - make_interval(days => $1)
            limit $2
        )
        """,
        KEEP_DAYS,
        FORGET_ROWS,
    )
    return int(status.split()[-1])
