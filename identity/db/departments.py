"""Departments, as last read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.pool import Connection, Row


async def lock_book(connection: Connection, corp_id: str) -> datetime:
    """Nobody else changes the corp's departments or staff until the transaction ends. Returns when the reading began
    that the departments are from."""
    await connection.execute(
        """
        insert into address_books (corp_id)
        values ($1)
        on conflict do nothing
        """,
        corp_id,
    )
    read_at: datetime = await connection.fetchval(
        """
        select read_at
        from address_books
        where corp_id = $1
        for update
        """,
        corp_id,
    )
    return read_at


async def replace(
    connection: Connection, corp_id: str, rows: Sequence[tuple[int, int | None, str]], read_at: datetime
) -> None:
    """The corp's departments from now on: (id, parent, name)."""
    await connection.execute("update address_books set read_at = $2 where corp_id = $1", corp_id, read_at)
    ordered = sorted(rows)
    await connection.execute(
        """
        delete from departments
        where corp_id = $1
          and department_id <> all($2::bigint[])
        """,
        corp_id,
        [row[0] for row in ordered],
    )
    if ordered:
        await connection.execute(
            """
            insert into departments as d (corp_id, department_id, parent_id, name)
            select $1, *
            from unnest($2::bigint[], $3::bigint[], $4::text[])
            on conflict (corp_id, department_id) do update
            set parent_id = excluded.parent_id, name = excluded.name
            where (d.parent_id, d.name) is distinct from (excluded.parent_id, excluded.name)
            """,
            corp_id,
            *zip(*ordered, strict=True),
        )


async def parents(connection: Connection, corp_id: str) -> dict[int, int | None]:
    rows = await connection.fetch("select department_id, parent_id from departments where corp_id = $1", corp_id)
    return {row["department_id"]: row["parent_id"] for row in rows}


async def page(connection: Connection, corp_id: str, after: int, limit: int) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from departments
        where corp_id = $1
          and department_id > $2
        order by department_id
        limit $3
        """,
        corp_id,
        after,
        limit,
    )
    return rows
