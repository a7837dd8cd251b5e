"""Row scope: an employee sees the customers they follow, a manager also those of everybody within their departments.

Identity states where members stand (StaffPlaced); each service that shows customers' rows keeps `staff_places` and
asks `visible_staff`. No caller ever passes a list of ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chassis.outbox import Tx
from chassis.projection import Projection

STAFF_PLACES = Projection(
    "staff_places",
    {"corp_id": "text", "userid": "text"},
    {"active": "boolean", "within_department_ids": "bigint[]", "managed_department_ids": "bigint[]"},
)


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
    return f"""(
        select {me}
        union all
        select s.userid
        from {table} m
        join {table} s
            on s.corp_id = m.corp_id
            and s.within_department_ids && m.managed_department_ids
        where m.corp_id = {corp}
          and m.userid = {me}
    )"""


async def place_staff(tx: Tx, placements: Iterable[Placement]) -> None:
    """The highest version wins, per member."""
    await STAFF_PLACES.save(
        tx.connection,
        (
            {
                "corp_id": one.corp_id,
                "userid": one.userid,
                "active": one.active,
                "within_department_ids": one.within_department_ids,
                "managed_department_ids": one.managed_department_ids,
                "version": one.version,
            }
            for one in placements
        ),
    )
