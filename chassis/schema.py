"""Forward-only migrations: numbered SQL files, each applied once and checksummed, in one transaction unless it asks
otherwise."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import asyncpg

CHASSIS = Path(__file__).parent / "migrations"
# A file that begins so runs statement by statement, each in its own transaction, as `concurrently` requires. It must be
# safe to run again after it was cut off.
ONE_BY_ONE = "-- statement by statement\n"
LOCK_SECONDS = 0.2


def read_folder(folder: Path) -> list[tuple[str, str]]:
    """(file name, SQL) in order. Raises ValueError on a gap in the numbers."""
    files = sorted(folder.glob("*.sql"))
    for position, file in enumerate(files, start=1):
        if not file.name.startswith(f"{position:04d}_"):
            raise ValueError(f"{file}: expected number {position:04d}")
    return [(file.name, file.read_text()) for file in files]


async def migrate(url: str, schema: str, folder: Path) -> list[str]:
    """Brings `schema` up to the files of the chassis and of `folder`; returns what was applied.

    Any number of replicas may start at once: one migrates, the others wait. A file that was edited after it was
    applied is an error.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await _lock(connection, schema)
        # A service's role owns its schema and may not make others, not even "if not exists".
        if not await connection.fetchval("select true from pg_namespace where nspname = $1", schema):
            await connection.execute(f'create schema "{schema}"')
        await connection.execute(f'set search_path to "{schema}"')
        await connection.execute("set lock_timeout to '5s'")
        await connection.execute(
            """
            create table if not exists migrations (
                owner text,
                name text,
                sha256 text not null,
                applied_at timestamptz not null default now(),
                primary key (owner, name)
            )
            """
        )
        known = {(r["owner"], r["name"]): r["sha256"] for r in await connection.fetch("select * from migrations")}
        applied = []
        for owner, source in (("chassis", CHASSIS), ("service", folder)):
            for name, sql in read_folder(source):
                digest = hashlib.sha256(sql.encode()).hexdigest()
                if (owner, name) in known:
                    if known[owner, name] != digest:
                        raise ValueError(f"{schema}: {name} was edited after it was applied")
                    continue
                await _apply(connection, owner, name, sql, digest)
                applied.append(name)
        return applied
    finally:
        await connection.close()


async def _lock(connection: asyncpg.Connection[asyncpg.Record], schema: str) -> None:
    """Asks again and again: waiting inside a statement would hold up another's `create index concurrently`."""
    while True:
        if await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", f"migrate:{schema}"):
            return
        await asyncio.sleep(LOCK_SECONDS)


async def _apply(connection: asyncpg.Connection[asyncpg.Record], owner: str, name: str, sql: str, digest: str) -> None:
    note = ("insert into migrations (owner, name, sha256) values ($1, $2, $3)", owner, name, digest)
    if not sql.startswith(ONE_BY_ONE):
        async with connection.transaction():
            await connection.execute(sql)
            await connection.execute(*note)
        return
    # `create index concurrently` waits for every open transaction.
    await connection.execute("set lock_timeout to 0")
    for statement in sql.removesuffix(";\n").split(";\n"):
        await connection.execute(statement)
    await connection.execute("set lock_timeout to '5s'")
    await connection.execute(*note)
