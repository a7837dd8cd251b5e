"""Whose rows a report counts: employees by userid or department, within what the caller may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection


async def wanted_staff(
    connection: Connection,
    corp_id: str,
    *,
    confined_to: str | None,
    userid: str,
    department_id: int | None,
    table: str = "staff_places",
) -> set[str] | None:
    """The userids; None for everybody, those who are no members any more included. `table` has the columns of
    `staff_places`."""
    sets = []
    if confined_to is not None:
        rows = await connection.fetch(
            f"""
            select distinct v.userid
            from {visible_staff(table, "$1::text", "$2::text")} as v (userid)
            """,
            corp_id,
            confined_to,
        )
        sets.append({row["userid"] for row in rows})
    if department_id is not None:
        rows = await connection.fetch(
            f"""
            select userid
            from {table}
            where corp_id = $1 and within_department_ids && array[$2::bigint]
            """,
            corp_id,
            department_id,
        )
        sets.append({row["userid"] for row in rows})
    if userid:
        sets.append({userid.strip().lower()})
    return set.intersection(*sets) if sets else None


async def departments_of(
    connection: Connection, corp_id: str, userids: Sequence[str], table: str = "staff_places"
) -> Mapping[str, Sequence[int]]:
    """Userid → the departments that they are in, those above included."""
    rows = await connection.fetch(
        f"""
        select userid, within_department_ids
        from {table}
        where corp_id = $1 and userid = any($2)
        """,
        corp_id,
        list(userids),
    )
    return {row["userid"]: row["within_department_ids"] for row in rows}
