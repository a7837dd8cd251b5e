"""The address book, as last read, and what members manage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chassis.pool import Connection, Row

# What StaffPlaced says: a difference in one of these is stated.
STATED = ("fingerprint", "department_ids", "active", "within_department_ids", "managed_department_ids")
NAMED = ("sealed_name", "name_prefix_ids", "prefixed_version")
COLUMNS = (*NAMED, *STATED, "read_at", "version")

WITH_ROLE = """
    select s.*, coalesce(r.role, 'FRONTLINE') as role
    from staff s
    left join roles r on (r.corp_id, r.userid) = (s.corp_id, s.userid)
"""


async def active_userids(connection: Connection, corp_id: str) -> list[str]:
    rows = await connection.fetch("select userid from staff where corp_id = $1 and active", corp_id)
    return [row["userid"] for row in rows]


async def lock(connection: Connection, corp_id: str, userids: Sequence[str]) -> dict[str, Row]:
    rows = await connection.fetch(
        """
        select *
        from staff
        where corp_id = $1
          and userid = any($2)
        order by userid
        for update
        """,
        corp_id,
        userids,
    )
    return {row["userid"]: row for row in rows}


async def save(connection: Connection, corp_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
    await connection.executemany(
        """
        insert into staff as s
            (corp_id, userid, sealed_name, name_prefix_ids, prefixed_version, fingerprint, department_ids, active,
            within_department_ids, managed_department_ids, read_at, version)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (corp_id, userid) do update
        set sealed_name = excluded.sealed_name,
            name_prefix_ids = excluded.name_prefix_ids,
            prefixed_version = excluded.prefixed_version,
            fingerprint = excluded.fingerprint,
            department_ids = excluded.department_ids,
            active = excluded.active,
            within_department_ids = excluded.within_department_ids,
            managed_department_ids = excluded.managed_department_ids,
            read_at = excluded.read_at,
            version = excluded.version,
            -- Somebody who left and is there again is perhaps another person.
            known_since = case when s.active then s.known_since else excluded.known_since end
        """,
        [(corp_id, row["userid"], *(row[name] for name in COLUMNS)) for row in sorted(rows, key=lambda r: r["userid"])],
    )


async def known_since(connection: Connection, corp_id: str, userid: str, at: datetime) -> None:
    """The member was there at that time already."""
    await connection.execute(
        """
        update staff
        set known_since = least(known_since, $3)
        where corp_id = $1
          and userid = $2
        """,
        corp_id,
        userid,
        at,
    )


async def get(connection: Connection, corp_id: str, userids: Sequence[str]) -> Sequence[Row]:
    """With their roles."""
    rows: Sequence[Row] = await connection.fetch(
        f"""
        {WITH_ROLE}
        where s.corp_id = $1
          and s.userid = any($2)
        order by s.userid
        """,
        corp_id,
        userids,
    )
    return rows


async def active_after(connection: Connection, corp_id: str, after: str, limit: int) -> list[str]:
    rows = await connection.fetch(
        """
        select userid
        from staff
        where corp_id = $1
          and active
          and userid > $2
        order by userid
        limit $3
        """,
        corp_id,
        after,
        limit,
    )
    return [row["userid"] for row in rows]


async def is_active(connection: Connection, corp_id: str, userid: str) -> bool:
    return bool(
        await connection.fetchval("select active from staff where corp_id = $1 and userid = $2", corp_id, userid)
    )
