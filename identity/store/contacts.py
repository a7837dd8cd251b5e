"""What WeCom says about contacts."""

from __future__ import annotations

from chassis.pool import Connection


async def sealed_id(connection: Connection, corp_id: str, contact_id: str) -> bytes | None:
    value: bytes | None = await connection.fetchval(
        "select sealed from identifiers where corp_id = $1 and identifier_id = $2", corp_id, contact_id
    )
    return value


async def save(connection: Connection, corp_id: str, contact_id: str, sealed_name: bytes, version: int) -> None:
    await connection.execute(
        "insert into contacts as c (corp_id, contact_id, sealed_name, version) values ($1, $2, $3, $4)"
        " on conflict (corp_id, contact_id) do update set sealed_name = excluded.sealed_name,"
        " version = excluded.version where c.version < excluded.version",
        corp_id,
        contact_id,
        sealed_name,
        version,
    )
