"""Row scope: an employee sees the customers they follow, a manager also those of everybody within their departments.

Identity states where members stand (StaffPlaced); each service that shows customers' rows keeps `staff_places` and
asks `visible_staff`. No caller ever passes a list of ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chassis.outbox import Tx


class Placement(Protocol):
    """identity's StaffPlaced, whatever package it was generated into."""

    corp_id: str
    userid: str
    active: bool
    version: int

    @property
    def within_department_ids(self) -> Iterable[int]: ...

    @property
    def managed_department_ids(self) -> Iterable[int]: ...


def visible_staff(table: str, corp: str, me: str) -> str:
    """SQL: the userids whose customers the member `me` sees. `table` has the columns of `staff_places`; `corp` and
    `me` are expressions."""
    return (
        f"(select {me} union all select s.userid from {table} m join {table} s on s.corp_id = m.corp_id"
        f" and s.within_department_ids && m.managed_department_ids where m.corp_id = {corp} and m.userid = {me})"
    )


async def place_staff(tx: Tx, placements: Iterable[Placement]) -> None:
    """The highest version wins, per member: any order and any repetition give the same rows."""
    newest: dict[tuple[str, str], Placement] = {}
    for placement in placements:
        key = (placement.corp_id, placement.userid)
        if key not in newest or newest[key].version < placement.version:
            newest[key] = placement
    # One statement a member: arrays of arrays of unequal length have no type in SQL.
    await tx.connection.executemany(
        "insert into staff_places as p (corp_id, userid, active, within_department_ids, managed_department_ids,"
        " version) values ($1, $2, $3, $4, $5, $6) on conflict (corp_id, userid) do update set"
        " active = excluded.active, within_department_ids = excluded.within_department_ids,"
        " managed_department_ids = excluded.managed_department_ids, version = excluded.version"
        " where p.version < excluded.version",
        [
            (*key, one.active, list(one.within_department_ids), list(one.managed_department_ids), one.version)
            for key, one in sorted(newest.items())
        ],
    )
