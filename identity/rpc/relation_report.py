from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bihuan.identity.v1 import relation_report_service_pb2 as pb
from bihuan.identity.v1 import relation_report_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.kernel.caller import caller
from chassis.kernel.corps import Corps
from chassis.kernel.periods import Period, dimension_of, period_of
from chassis.kernel.staff_filter import departments_of, wanted_staff
from chassis.pool import Connection, Pool, Row
from identity.db import relation_reports as db
from identity.rpc.customer_requests import MOST_CHARACTERS, department

MOST_ROWS = 1000
CHANGES = ("began", "ended", "ended_by_customer", "readded")


class Sums:
    """Relations begun and ended, added up; `living`: alive at the end."""

    def __init__(self, living: int = 0) -> None:
        self.changes = dict.fromkeys(CHANGES, 0)
        self.living = living

    def add(self, row: Row) -> None:
        for one in CHANGES:
            self.changes[one] += row[one]

    def shown(self, key: str = "") -> pb.RelationReportRow:
        return pb.RelationReportRow(key=key, living=self.living, **self.changes)


class RelationReportServicer(grpc_pb.RelationReportServiceServicer):
    def __init__(self, pool: Pool, corps: Corps) -> None:
        self._pool, self._corps = pool, corps

    async def GetRelationReport(
        self, request: pb.GetRelationReportRequest, context: Any
    ) -> pb.GetRelationReportResponse:
        me = caller()
        by = dimension_of(request, "DAY", "STAFF", "DEPARTMENT")
        period = period_of(request, self._corps.get(me.corp_id))
        userid = paging.text(request.userid, "userid", most=MOST_CHARACTERS) if request.userid else ""
        department_id = department(request.department_id) if request.HasField("department_id") else None
        async with self._pool.acquire() as connection:
            wanted = await wanted_staff(
                connection,
                me.corp_id,
                confined_to=me.confined_to,
                userid=userid,
                department_id=department_id,
                table="staff",
            )
            userids = None if wanted is None else sorted(wanted)
            if by == "DAY":
                return await _by_day(connection, me.corp_id, period, userids)
            return await _by_staff(connection, me.corp_id, period, userids, in_departments=by == "DEPARTMENT")


async def _by_day(
    connection: Connection, corp_id: str, period: Period, userids: Sequence[str] | None
) -> pb.GetRelationReportResponse:
    counted = {row["key"]: row for row in await db.by_day(connection, corp_id, period.first, period.last, userids)}
    total = Sums(await db.living_before(connection, corp_id, period.first, userids))
    rows = []
    for day in period.days():
        sums, row = Sums(), counted.get(day.isoformat())
        if row is not None:
            sums.add(row)
            total.add(row)
            total.living += row["began"] - row["ended"]
        sums.living = total.living
        rows.append(sums.shown(day.isoformat()))
    return pb.GetRelationReportResponse(rows=rows, total=total.shown())


async def _by_staff(
    connection: Connection, corp_id: str, period: Period, userids: Sequence[str] | None, *, in_departments: bool
) -> pb.GetRelationReportResponse:
    rows = await db.by_staff(connection, corp_id, period.first, period.last, userids)
    above = await departments_of(connection, corp_id, [row["key"] for row in rows], "staff") if in_departments else {}
    total, sums = Sums(), defaultdict[str, Sums](Sums)
    for row in rows:
        for one in (total, *(sums[key] for key in _keys(row["key"], above, in_departments=in_departments))):
            one.add(row)
            one.living += row["living"]
    some = [(key, one) for key, one in sums.items() if one.living or any(one.changes.values())]
    some.sort(key=lambda pair: (-pair[1].living, -pair[1].changes["began"], pair[0]))
    return pb.GetRelationReportResponse(rows=[one.shown(key) for key, one in some[:MOST_ROWS]], total=total.shown())


def _keys(userid: str, above: Mapping[str, Sequence[int]], *, in_departments: bool) -> Iterable[str]:
    return map(str, above.get(userid, ())) if in_departments else (userid,)
