"""Roles, API keys, and sessions that were ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Granted:
    """A member's role, and the departments that were granted with it."""

    role: str = "FRONTLINE"
    department_ids: Sequence[int] = ()


async def seed_roles(connection: Connection, grants: Iterable[tuple[str, str, str]]) -> None:
    """(corp, userid, role) of the corps file; a role that was changed since stays."""
    await connection.executemany(
        """
        insert into roles (corp_id, userid, role)
        values ($1, $2, $3)
        on conflict do nothing
        """,
        sorted(grants),
    )


async def roles_of(connection: Connection, corp_id: str, userids: Sequence[str]) -> dict[str, Granted]:
    """userid → what was granted; who is missing has nothing but FRONTLINE."""
    rows = await connection.fetch(
        """
        select userid, role, department_ids
        from roles
        where corp_id = $1
          and userid = any($2)
        """,
        corp_id,
        userids,
    )
    return {row["userid"]: Granted(role=row["role"], department_ids=row["department_ids"]) for row in rows}


async def lock_admins(connection: Connection, corp_id: str) -> list[str]:
    """The active members who are ADMIN; none can lose that before the caller's transaction ends."""
    rows = await connection.fetch(
        """
        select r.userid
        from roles r
        where r.corp_id = $1
          and r.role = 'ADMIN'
          and exists (
              select
              from staff s
              where s.corp_id = r.corp_id
                and s.userid = r.userid
                and s.active
          )
        order by r.userid
        for update of r
        """,
        corp_id,
    )
    return [row["userid"] for row in rows]


async def set_role(connection: Connection, corp_id: str, userid: str, role: str, department_ids: Sequence[int]) -> None:
    await connection.execute(
        """
        insert into roles (corp_id, userid, role, department_ids)
        values ($1, $2, $3, $4)
        on conflict (corp_id, userid) do update
        set role = excluded.role, department_ids = excluded.department_ids
        """,
        corp_id,
        userid,
        role,
        department_ids,
    )


async def move_role(connection: Connection, corp_id: str, userid: str, new_userid: str) -> None:
    """To a member who has none yet. The former userid keeps a row that grants nothing: whoever takes it next must not
    have what the corps file once granted to it."""
    await connection.execute(
        """
        insert into roles (corp_id, userid, role, department_ids)
        select corp_id, $3, role, department_ids
        from roles
        where corp_id = $1
          and userid = $2
        on conflict do nothing
        """,
        corp_id,
        userid,
        new_userid,
    )
    await connection.execute(
        """
        update roles
        set role = 'FRONTLINE', department_ids = '{}'
        where corp_id = $1
          and userid = $2
        """,
        corp_id,
        userid,
    )


async def role_of(connection: Connection, corp_id: str, userid: str) -> str | None:
    role: str | None = await connection.fetchval(
        """
        select role
        from roles
        where corp_id = $1
          and userid = $2
        """,
        corp_id,
        userid,
    )
    return role


async def add_key(connection: Connection, corp_id: str, api_key_id: str, name: str, digest: bytes) -> Row:
    row = await connection.fetchrow(
        """
        insert into api_keys (corp_id, api_key_id, name, digest)
        values ($1, $2, $3, $4)
        returning *
        """,
        corp_id,
        api_key_id,
        name,
        digest,
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row


async def key(connection: Connection, corp_id: str, api_key_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from api_keys
        where corp_id = $1
          and api_key_id = $2
        """,
        corp_id,
        api_key_id,
    )
    return row


async def keys(connection: Connection, corp_id: str, after: str, limit: int) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from api_keys
        where corp_id = $1
          and api_key_id > $2
        order by api_key_id
        limit $3
        """,
        corp_id,
        after,
        limit,
    )
    return rows


async def revoke(connection: Connection, corp_id: str, api_key_id: str) -> bool:
    status = await connection.execute(
        """
        update api_keys
        set revoked_at = coalesce(revoked_at, now())
        where corp_id = $1
          and api_key_id = $2
        """,
        corp_id,
        api_key_id,
    )
    return bool(status == "UPDATE 1")


async def end_session(connection: Connection, corp_id: str, session_id: str, until: datetime) -> None:
    await connection.execute(
        """
        insert into ended_sessions (corp_id, session_id, until)
        values ($1, $2, $3)
        on conflict do nothing
        """,
        corp_id,
        session_id,
        until,
    )


async def is_ended(connection: Connection, corp_id: str, session_id: str) -> bool:
    return bool(
        await connection.fetchval(
            """
            select true
            from ended_sessions
            where corp_id = $1
              and session_id = $2
            """,
            corp_id,
            session_id,
        )
    )


async def forget_sessions(connection: Connection) -> int:
    status = await connection.execute("delete from ended_sessions where until < now()")
    return int(status.split()[-1])
