"""The address book, as last read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chassis.pool import Connection, Row


async def all_of(connection: Connection, corp_id: str) -> dict[str, Row]:
    rows = await connection.fetch("select * from staff where corp_id = $1 order by userid for update", corp_id)
    return {row["userid"]: row for row in rows}


async def save(connection: Connection, corp_id: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows of (userid, sealed_name, fingerprint, department_ids, active, version)."""
    await connection.executemany(
        "insert into staff (corp_id, userid, sealed_name, fingerprint, department_ids, active, version)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (corp_id, userid) do update set"
        " sealed_name = excluded.sealed_name, fingerprint = excluded.fingerprint,"
        " department_ids = excluded.department_ids, active = excluded.active, version = excluded.version",
        [(corp_id, *row) for row in sorted(rows, key=lambda r: r[0])],
    )


async def page(connection: Connection, corp_id: str, after: str, limit: int) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        "select userid, sealed_name, department_ids, active from staff"
        " where corp_id = $1 and userid > $2 order by userid limit $3",
        corp_id,
        after,
        limit,
    )
    return rows


async def is_active(connection: Connection, corp_id: str, userid: str) -> bool:
    return bool(
        await connection.fetchval("select active from staff where corp_id = $1 and userid = $2", corp_id, userid)
    )
