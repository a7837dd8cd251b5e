from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from bihuan.acquisition.v1 import add_report_service_pb2 as pb
from bihuan.acquisition.v1 import add_report_service_pb2_grpc as grpc_pb

from acquisition.db import add_reports as db
from acquisition.db import renames
from chassis import paging
from chassis.kernel.caller import caller
from chassis.kernel.corps import Corps
from chassis.kernel.periods import Period, dimension_of, period_of
from chassis.kernel.renames import Rename, known_as
from chassis.kernel.staff_filter import departments_of, wanted_staff
from chassis.pool import Connection, Pool, Row

MOST_ROWS = 1000


class Sums:
    """Adds and customers, added up."""

    def __init__(self) -> None:
        self.adds = self.customers = 0

    def add(self, row: Row) -> None:
        self.adds += row["adds"]
        self.customers += row["customers"]

    def shown(self, key: str = "") -> pb.AddReportRow:
        return pb.AddReportRow(key=key, adds=self.adds, customers=self.customers)


class AddReportServicer(grpc_pb.AddReportServiceServicer):
    def __init__(self, pool: Pool, corps: Corps) -> None:
        self._pool, self._corps = pool, corps

    async def GetAddReport(self, request: pb.GetAddReportRequest, context: Any) -> pb.GetAddReportResponse:
        me = caller()
        by = dimension_of(request, "DAY", "CHANNEL", "STAFF", "DEPARTMENT")
        period = period_of(request, self._corps.get(me.corp_id))
        channel_id = paging.uuid(request.channel_id, "channelId") if request.channel_id else None
        async with self._pool.acquire() as connection:
            wanted = await wanted_staff(
                connection,
                me.corp_id,
                confined_to=me.confined_to,
                userid=request.userid,
                department_id=request.department_id if request.HasField("department_id") else None,
            )
            rows = await _rows(connection, me.corp_id, period, channel_id, by, wanted)
            total, sums = Sums(), defaultdict[str, Sums](Sums)
            departments = (
                await departments_of(connection, me.corp_id, sorted({member for member, _ in rows if member}))
                if by == "DEPARTMENT"
                else {}
            )
        for member, row in rows:
            total.add(row)
            for key in _keys(by, member, row, departments):
                sums[key].add(row)
        return pb.GetAddReportResponse(rows=_shown(by, period, sums), total=total.shown())


def _keys(by: str, member: str | None, row: Row, departments: Any) -> Iterable[str]:
    if by == "DEPARTMENT":
        return map(str, departments.get(member, ()))
    return [member or ""] if by == "STAFF" else [row["key"]]


def _shown(by: str, period: Period, sums: dict[str, Sums]) -> list[pb.AddReportRow]:
    if by == "DAY":
        return [sums.get(day.isoformat(), Sums()).shown(day.isoformat()) for day in period.days()]
    some = [(key, one) for key, one in sums.items() if one.adds or one.customers]
    some.sort(key=lambda pair: (-pair[1].adds, -pair[1].customers, pair[0]))
    return [one.shown(key) for key, one in some[:MOST_ROWS]]


async def _rows(
    connection: Connection,
    corp_id: str,
    period: Period,
    channel_id: str | None,
    by: str,
    wanted: set[str] | None,
) -> list[tuple[str | None, Row]]:
    """Each row with the present userid of its employee; None where the rows are not told apart by employees."""
    history = await renames.all_of(connection, corp_id)
    former = sorted({one.former_userid for one in history})
    where = (connection, corp_id, period.first, period.last, channel_id, by)
    if wanted is None:
        by_member = by in ("STAFF", "DEPARTMENT")
        rows = await db.of_all(*where, by_member=by_member, former=former)
        return [(_present(row, period, history) if by_member else None, row) for row in rows]
    told = await renames.of_members(connection, corp_id, wanted)
    rows = await db.of_staff(*where, former=former, told=told)
    named = [(_present(row, period, history), row) for row in rows]
    return [(member, row) for member, row in named if member in wanted]


def _present(row: Row, period: Period, history: Iterable[Rename]) -> str:
    userid: str = row["userid"]
    if row["told_on"] is None:
        return userid
    return known_as(userid, datetime.combine(row["told_on"], time(), period.zone), history)
