"""Names whose beginnings the release before has not written."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row

Named = tuple[str, str, Sequence[str]]  # corp, contact id or userid, prefix ids


async def unprefixed_contacts(connection: Connection, limit: int) -> Sequence[Row]:
    """Locked; those that another replica holds are left out."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select corp_id, contact_id, sealed_name
        from contacts
        where prefixed_version is distinct from version
        order by corp_id, contact_id
        limit $1
        for update skip locked
        """,
        limit,
    )
    return rows


async def unprefixed_staff(connection: Connection, limit: int) -> Sequence[Row]:
    """As unprefixed_contacts."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select corp_id, userid, sealed_name
        from staff
        where prefixed_version is distinct from version
        order by corp_id, userid
        limit $1
        for update skip locked
        """,
        limit,
    )
    return rows


async def save_contacts(connection: Connection, rows: Sequence[Named]) -> None:
    if not rows:
        return
    await connection.execute(
        """
        update contacts c
        set name_prefix_ids = t.prefix_ids::uuid[], prefixed_version = c.version
        from unnest($1::text[], $2::uuid[], $3::text[]) as t (corp_id, contact_id, prefix_ids)
        where (c.corp_id, c.contact_id) = (t.corp_id, t.contact_id)
        """,
        *_columns(rows),
    )


async def save_staff(connection: Connection, rows: Sequence[Named]) -> None:
    if not rows:
        return
    await connection.execute(
        """
        update staff s
        set name_prefix_ids = t.prefix_ids::uuid[], prefixed_version = s.version
        from unnest($1::text[], $2::text[], $3::text[]) as t (corp_id, userid, prefix_ids)
        where (s.corp_id, s.userid) = (t.corp_id, t.userid)
        """,
        *_columns(rows),
    )


def _columns(rows: Sequence[Named]) -> tuple[list[str], list[str], list[str]]:
    """Arrays of unequal length have no common type in SQL: they travel as text."""
    return [row[0] for row in rows], [row[1] for row in rows], ["{" + ",".join(row[2]) + "}" for row in rows]
