from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bihuan.engagement.v1 import touch_report_service_pb2 as pb
from bihuan.engagement.v1 import touch_report_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.kernel.caller import caller
from chassis.kernel.corps import Corps
from chassis.kernel.periods import dimension_of, period_of
from chassis.kernel.staff_filter import departments_of, wanted_staff
from chassis.pool import Connection, Pool, Row
from engagement.db import touch_reports as db

MOST_ROWS = 1000
# What each report counts; rows are sorted by the first of these.
OF_WELCOMES = ("sent", "late", "refused", "without_rule", "failed", "open")
OF_ALERTS = ("raised", "delivered", "refused", "expired", "open", "listed")

Sums = Counter[str]  # measure → how many


class TouchReportServicer(grpc_pb.TouchReportServiceServicer):
    def __init__(self, pool: Pool, corps: Corps) -> None:
        self._pool, self._corps = pool, corps

    async def GetWelcomeReport(self, request: pb.GetWelcomeReportRequest, context: Any) -> pb.GetWelcomeReportResponse:
        by = dimension_of(request, "DAY", "CHANNEL", "STAFF", "DEPARTMENT")
        channel_id = paging.uuid(request.channel_id, "channelId") if request.channel_id else None
        async with self._pool.acquire() as connection:
            wanted = await self._wanted(connection, request, by, channel_id)
            rows = await db.welcomes(connection, wanted)
            departments = await _departments(connection, wanted, rows)
        total, sums = _added_up(rows, OF_WELCOMES, by, departments)
        return pb.GetWelcomeReportResponse(
            rows=[pb.WelcomeReportRow(key=key, **one) for key, one in _shown(wanted, sums, OF_WELCOMES)],
            total=pb.WelcomeReportRow(**total),
        )

    async def GetAlertReport(self, request: pb.GetAlertReportRequest, context: Any) -> pb.GetAlertReportResponse:
        by = dimension_of(request, "DAY", "STAFF", "DEPARTMENT")
        async with self._pool.acquire() as connection:
            wanted = await self._wanted(connection, request, by, None)
            rows = await db.alerts(connection, wanted)
            departments = await _departments(connection, wanted, rows)
        total, sums = _added_up(rows, OF_ALERTS, by, departments)
        return pb.GetAlertReportResponse(
            rows=[pb.AlertReportRow(key=key, **one) for key, one in _shown(wanted, sums, OF_ALERTS)],
            total=pb.AlertReportRow(**total),
        )

    async def _wanted(self, connection: Connection, request: Any, by: str, channel_id: str | None) -> db.Wanted:
        me = caller()
        period = period_of(request, self._corps.get(me.corp_id))
        userids = await wanted_staff(
            connection,
            me.corp_id,
            confined_to=me.confined_to,
            userid=request.userid,
            department_id=request.department_id if request.HasField("department_id") else None,
        )
        return db.Wanted(me.corp_id, period, by, userids, channel_id)


async def _departments(connection: Connection, wanted: db.Wanted, rows: Iterable[Row]) -> Mapping[str, Sequence[int]]:
    if wanted.by != "DEPARTMENT":
        return {}
    return await departments_of(connection, wanted.corp_id, sorted({row["userid"] for row in rows}))


def _added_up(
    rows: Iterable[Row], measures: Sequence[str], by: str, departments: Mapping[str, Sequence[int]]
) -> tuple[Any, dict[str, Sums]]:
    """The total, and the sums of each key. An employee counts in each of their departments, and once in the total."""
    keys: Callable[[Row], Iterable[str]] = (
        (lambda row: map(str, departments.get(row["userid"], ()))) if by == "DEPARTMENT" else (lambda row: [row["key"]])
    )
    total, sums = Sums(), defaultdict[str, Sums](Sums)
    for row in rows:
        counts = {name: row[name] for name in measures}
        total.update(counts)
        for key in keys(row):
            sums[key].update(counts)
    return total, sums


def _shown(wanted: db.Wanted, sums: Mapping[str, Sums], measures: Sequence[str]) -> Sequence[tuple[str, Any]]:
    """By day every day, otherwise what is not all zero, most first."""
    if wanted.by == "DAY":
        return [(day.isoformat(), sums.get(day.isoformat(), Sums())) for day in wanted.period.days()]
    some = [(key, one) for key, one in sums.items() if one.total()]
    some.sort(key=lambda pair: (*(-pair[1][name] for name in measures), pair[0]))
    return some[:MOST_ROWS]
