"""The reports of welcomes and alerts equal what a plain reading of their rows says, whatever came in which order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bihuan.common.v1.list_pb2 import Dimension
from bihuan.engagement.v1 import touch_report_service_pb2 as pb
from bihuan.identity.v1.facts_pb2 import StaffPlaced, StaffRenamed
from bihuan.staff.v1.facts_pb2 import Importance, StaffAlerted
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Invalid
from chassis.kernel import caller
from chassis.kernel.corps import Corp, Corps
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.moments import stamp
from chassis.parking import Parking
from chassis.sealing import Sealer
from chassis.work_queue import WorkQueue
from engagement.app.touch_days import TouchDays
from engagement.consumers import Handlers
from engagement.db import touch_days as db
from engagement.rpc.touch_reports import TouchReportServicer
from tests import facts as f
from tests.conftest import CORP, Room, received
from tests.integration.test_alerts import ADDED, LOST, Phones, durable, said
from tests.integration.test_alerts import send_all as send_alerts
from tests.integration.test_welcomes import Customers, make_rule, send_all

Rooms = Callable[..., Any]
OF_WELCOMES = ("sent", "late", "refused", "without_rule", "failed", "open")
OF_ALERTS = ("raised", "delivered", "refused", "expired", "open", "listed")
NOW = datetime.now(UTC).replace(microsecond=0)


def corps(zone: str = "Asia/Shanghai") -> Corps:
    return Corps((Corp.model_construct(corp_id=CORP, name="c", timezone=zone, app=(), mall=(), role=()),))


async def count(room: Room, zone: str = "Asia/Shanghai") -> None:
    days = TouchDays(corps(zone))
    for queue, marks, handle in (
        (db.WELCOME_QUEUE, db.WELCOME_MARKS, days.count_welcomes),
        (db.ALERT_QUEUE, db.ALERT_MARKS, days.count_alerts),
    ):
        worker = WorkQueue(room.outbox, Parking(room.pool), queue, marks, handle, key="mark_id")
        while await room.rows(f"select 1 from {marks}"):
            await worker.work()


async def report(room: Room, of: str, by: str, role: str = "ADMIN", me: str = "boss", **fields: Any) -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
    servicer, kind = TouchReportServicer(room.pool, corps()), getattr(pb, f"Get{of}ReportRequest")
    asked = {"first_day": day(NOW - timedelta(days=20)), "last_day": day(NOW + timedelta(days=20)), **fields}
    answer = await getattr(servicer, f"Get{of}Report")(kind(by=Dimension.Value(f"DIMENSION_{by}"), **asked), None)
    measures = OF_WELCOMES if of == "Welcome" else OF_ALERTS
    if by != "DEPARTMENT":
        for name in measures:
            assert sum(getattr(row, name) for row in answer.rows) == getattr(answer.total, name)
    return answer


async def told(room: Room, of: str, by: str, *args: Any, **fields: Any) -> dict[str, dict[str, int]]:
    """Key → what is not 0."""
    answer = await report(room, of, by, *args, **fields)
    measures = OF_WELCOMES if of == "Welcome" else OF_ALERTS
    rows = {row.key: {name: getattr(row, name) for name in measures if getattr(row, name)} for row in answer.rows}
    return {key: row for key, row in rows.items() if row}


def day(moment: datetime, zone: str = "Asia/Shanghai") -> str:
    return moment.astimezone(ZoneInfo(zone)).date().isoformat()


async def plain(room: Room, of: str, by: str) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for row in await room.rows("select * from welcomes" if of == "Welcome" else "select * from alerts"):
        moment: Any = row["arrived_at" if of == "Welcome" else "at"]
        status = str(row["status"]).replace("WAITING", "OPEN").lower()
        if status == "another_code":
            continue
        key = {"DAY": day(moment), "CHANNEL": str(row.get("channel_id")), "STAFF": str(row["userid"])}[by]
        found.setdefault(key, Counter()).update([status] if of == "Welcome" else [status, "raised"])
    return {key: dict(one) for key, one in found.items()}


async def equal(room: Room) -> None:
    await count(room)
    for of, dimensions in (("Welcome", ("DAY", "CHANNEL", "STAFF")), ("Alert", ("DAY", "STAFF"))):
        for by in dimensions:
            assert await told(room, of, by) == await plain(room, of, by)


MEMBERS = st.sampled_from(["anna", "bert", "annika"])
HOURS = st.integers(-300, 0)
WELCOMED = st.tuples(MEMBERS, st.integers(1, 3), HOURS, st.booleans())
ALERTED = st.tuples(MEMBERS, HOURS, st.sampled_from([Importance.IMPORTANCE_LOW, Importance.IMPORTANCE_NORMAL]))


@settings(max_examples=12)
@given(
    welcomed=st.lists(WELCOMED, max_size=6),
    alerted=st.lists(ALERTED, max_size=6),
    renamed=st.lists(HOURS, max_size=2),
    script=st.lists(st.sampled_from([0, 41050, 41051]), max_size=6),
    seed=st.integers(0, 2**16),
)
async def test_days_equal_a_plain_reading_in_any_order(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, welcomed: Any, alerted: Any, renamed: Any, script: Any, seed: int
) -> None:
    feeds: list[tuple[Any, Any]] = []
    for number, (userid, channel, hours, fresh) in enumerate(welcomed):
        arrived = datetime.now(UTC) if fresh else NOW + timedelta(hours=hours)
        code = sealer.seal(CORP, f"code {number}")
        one = f.acquired(f"t{number}", number, userid, channel, 0, sealed_code=code, arrived=arrived)
        one.added_at.FromDatetime(arrived)
        feeds.append((durable(handlers, "welcome-on-customer-acquired"), received(one, f"w{number}")))
    for number, (userid, hours, importance) in enumerate(alerted):
        alert: StaffAlerted = said(str(number), userid, seconds=hours * 3600, importance=importance, **LOST)
        feeds.append((durable(handlers, "staff-alerted"), received(alert, f"a{number}")))
    for number, hours in enumerate(renamed):
        fact = StaffRenamed(corp_id=CORP, former_userid="anna", userid="annika", at=stamp(NOW + timedelta(hours=hours)))
        feeds.append((durable(handlers, "staff-renamed"), received(fact, f"r{number}")))
    random.Random(seed).shuffle(feeds)
    feeds += random.Random(seed).choices(feeds, k=2) if feeds else []
    async with rooms("engagement") as room:
        if seed % 3:
            await make_rule(room)
        for position, (taker, fact) in enumerate(feeds):
            await room.take(taker, [fact])
            if position % 3 == 0:
                await equal(room)
        await send_all(room, Customers(*script), sealer)
        await equal(room)
        await send_alerts(room, Phones(), sealer)
        await equal(room)


async def filled(room: Room, handlers: Handlers, sealer: Sealer) -> None:
    """anna is within department 1, bert within 2 of 1; mira manages 2."""
    await make_rule(room)
    for number, userid in enumerate(("anna", "bert", "bert")):
        code = sealer.seal(CORP, f"c{number}")
        one = f.acquired(f"t{number}", number, userid, 1 + number // 2, 0, sealed_code=code, arrived=datetime.now(UTC))
        one.added_at.FromDatetime(NOW)
        await room.take(durable(handlers, "welcome-on-customer-acquired"), [received(one, f"w{number}")])
        await room.take(
            durable(handlers, "staff-alerted"), [received(said(str(number), userid, **ADDED), f"a{number}")]
        )
    await send_all(room, Customers(0, 41051), sealer)
    for userid, within, managed in (("anna", [1], []), ("bert", [1, 2], []), ("mira", [1], [2])):
        placed = StaffPlaced(
            corp_id=CORP,
            userid=userid,
            active=True,
            within_department_ids=within,
            managed_department_ids=managed,
            version=1,
        )
        await room.take(durable(handlers, "place-on-staff-placed"), [received(placed, f"p{userid}")])
    await count(room)


async def test_rows_by_employee_department_and_channel(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await filled(room, handlers, sealer)
        by_staff = await told(room, "Welcome", "STAFF")
        assert {key: sum(row.values()) for key, row in by_staff.items()} == {"anna": 1, "bert": 2}
        assert (await report(room, "Welcome", "DAY")).total.sent == 2
        assert (await report(room, "Welcome", "DAY")).total.refused == 1
        assert len((await report(room, "Welcome", "DAY")).rows) == 41
        departments = await told(room, "Welcome", "DEPARTMENT")
        assert {key: sum(row.values()) for key, row in departments.items()} == {"1": 3, "2": 2}
        channels = await told(room, "Welcome", "CHANNEL", channel_id=f.uid("channel", 2))
        assert list(channels) == [f.uid("channel", 2)]
        assert await told(room, "Alert", "DEPARTMENT", department_id=2) == {
            "1": {"raised": 2, "open": 2},
            "2": {"raised": 2, "open": 2},
        }
        assert await told(room, "Alert", "STAFF", userid="ANNA") == {"anna": {"raised": 1, "open": 1}}


async def test_who_is_confined_sees_their_own(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await filled(room, handlers, sealer)
        for of in ("Welcome", "Alert"):
            assert list(await told(room, of, "STAFF", "FRONTLINE", "anna")) == ["anna"]
            assert list(await told(room, of, "STAFF", "FRONTLINE", "anna", userid="bert")) == []
            assert list(await told(room, of, "STAFF", "MANAGER", "mira")) == ["bert"]
            assert len((await report(room, of, "DAY", "FRONTLINE", "dora")).rows) == 41
            assert await told(room, of, "DAY", "FRONTLINE", "dora") == {}


async def test_an_open_welcome_counts_as_open(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await filled(room, handlers, sealer)
        await room.pool.execute("update welcomes set status = 'OPEN' where userid = 'anna'")
        await count(room)
        for by in ("DAY", "CHANNEL", "STAFF"):
            assert sum(row.get("open", 0) for row in (await told(room, "Welcome", by)).values()) == 1
        assert await told(room, "Welcome", "STAFF", "FRONTLINE", "anna") == {"anna": {"open": 1}}
        assert await told(room, "Welcome", "STAFF", "FRONTLINE", "mira") == await told(
            room, "Welcome", "STAFF", userid="bert"
        )


async def test_days_are_cut_anew_where_the_corp_moves_to_another_zone(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    async with rooms("engagement") as room:
        await filled(room, handlers, sealer)
        await room.pool.execute("delete from welcome_days")
        await room.pool.execute("delete from alert_days")
        for zone in ("Asia/Shanghai", "Pacific/Kiritimati", "Pacific/Midway"):
            assert await mark_where_zones_changed(room.pool, corps(zone), db.WELCOME_QUEUE, db.mark_all_welcomes) == 1
            assert await mark_where_zones_changed(room.pool, corps(zone), db.ALERT_QUEUE, db.mark_all_alerts) == 1
            await count(room, zone)
            for table, column, moment in (("welcome_days", "sent", datetime.now(UTC)), ("alert_days", "raised", NOW)):
                rows = await room.rows(f"select distinct day from {table} where {column} > 0")
                assert [str(row["day"]) for row in rows] == [day(moment, zone)]


async def test_a_day_may_begin_at_half_past(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    """As in Kolkata: a quarter past midnight is of the new day, though its hour began on the day before."""
    zone, moment = "Asia/Kolkata", datetime(2026, 3, 2, 18, 45, tzinfo=UTC)
    async with rooms("engagement") as room:
        await filled(room, handlers, sealer)
        await room.pool.execute("update welcomes set arrived_at = $1", moment)
        await room.pool.execute("update alerts set at = $1", moment)
        for again in (False, True):
            if again:
                await room.pool.execute("delete from welcome_days")
                await room.pool.execute("delete from alert_days")
                await mark_where_zones_changed(room.pool, corps(zone), db.WELCOME_QUEUE, db.mark_all_welcomes)
                await mark_where_zones_changed(room.pool, corps(zone), db.ALERT_QUEUE, db.mark_all_alerts)
            await count(room, zone)
            for table, column in (("welcome_days", "sent"), ("alert_days", "raised")):
                rows = await room.rows(f"select distinct day from {table} where {column} > 0")
                assert [str(row["day"]) for row in rows] == ["2026-03-03"]


@pytest.mark.parametrize(
    ("of", "by", "fields", "field"),
    [
        ("Welcome", "MALL", {}, "by"),
        ("Alert", "CHANNEL", {}, "by"),
        ("Welcome", "DAY", {"channel_id": "x"}, "channelId"),
        ("Alert", "DAY", {"first_day": "yesterday"}, "firstDay"),
    ],
)
async def test_nonsense_is_refused(rooms: Rooms, of: str, by: str, fields: dict[str, Any], field: str) -> None:
    async with rooms("engagement") as room:
        with pytest.raises(Invalid) as refused:
            await report(room, of, by, **fields)
        assert refused.value.field == field


async def test_a_report_reads_the_days_and_no_welcomes(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    """Ten thousand welcomes of one day are one row, and one mark."""
    async with rooms("engagement") as room:
        await filled(room, handlers, sealer)
        await room.pool.execute(
            """
            insert into welcomes (
                corp_id, welcome_id, contact_id, userid, channel_id, sealed_code, arrived_at, deadline, status
            )
            select corp_id, md5(n::text)::uuid, contact_id, userid, channel_id, '', arrived_at, deadline, 'SENT'
            from welcomes, generate_series(1, 10000) n
            where userid = 'anna'
            """
        )
        assert await room.rows("select count(*)::int as n from welcome_day_marks") == [{"n": 1}]
        await count(room)
        assert (await report(room, "Welcome", "DAY")).total.sent == 10_002
        assert await room.rows("select count(*)::int as n from welcome_days") == [{"n": 3}]
