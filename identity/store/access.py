"""Roles and API keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chassis.pool import Connection, Row


async def seed_roles(connection: Connection, grants: Iterable[tuple[str, str, str]]) -> None:
    """(corp, userid, role) of the corps file; a role that was changed since stays."""
    await connection.executemany(
        "insert into roles (corp_id, userid, role) values ($1, $2, $3) on conflict do nothing", sorted(grants)
    )


async def role_of(connection: Connection, corp_id: str, userid: str) -> str | None:
    role: str | None = await connection.fetchval(
        "select role from roles where corp_id = $1 and userid = $2", corp_id, userid
    )
    return role


async def add_key(connection: Connection, corp_id: str, api_key_id: str, name: str, digest: bytes) -> Row:
    row = await connection.fetchrow(
        "insert into api_keys (corp_id, api_key_id, name, digest) values ($1, $2, $3, $4) returning *",
        corp_id,
        api_key_id,
        name,
        digest,
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row


async def key(connection: Connection, corp_id: str, api_key_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        "select * from api_keys where corp_id = $1 and api_key_id = $2", corp_id, api_key_id
    )
    return row


async def keys(connection: Connection, corp_id: str, after: str, limit: int) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        "select * from api_keys where corp_id = $1 and api_key_id > $2 order by api_key_id limit $3",
        corp_id,
        after,
        limit,
    )
    return rows


async def revoke(connection: Connection, corp_id: str, api_key_id: str) -> bool:
    status = await connection.execute(
        "update api_keys set revoked_at = coalesce(revoked_at, now()) where corp_id = $1 and api_key_id = $2",
        corp_id,
        api_key_id,
    )
    return bool(status == "UPDATE 1")
