"""The relation report equals what a plain reading of the follow events says, whatever came in which order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bihuan.common.v1.list_pb2 import Dimension
from bihuan.identity.v1 import relation_report_service_pb2 as pb
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.effects import EffectWorker, OneByOne
from chassis.errors import Invalid
from chassis.kernel import caller
from chassis.kernel.corps import Corp, Corps
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.parking import Parking
from chassis.work_queue import WorkQueue
from identity.app.relation_days import RelationDays
from identity.app.renames import MOVE, Moving
from identity.consumers import CONTACTS, RENAMES
from identity.db.relation_days import MARKS, QUEUE, mark_all
from identity.domain.relations import BY_CUSTOMER, FollowEvent, spans_of
from identity.rpc.relation_report import RelationReportServicer
from tests import facts as f
from tests.conftest import CORP, Room, examples, received

Rooms = Callable[..., Any]
HOUR = 3600
SHANGHAI = "Asia/Shanghai"
Row = tuple[int, int, int, int, int]  # began, ended, ended by the customer, re-added, living


def corps(zone: str = SHANGHAI) -> Corps:
    return Corps((Corp.model_construct(corp_id=CORP, name="c", timezone=zone, app=(), mall=(), role=()),))


async def count(room: Room, zone: str = SHANGHAI) -> None:
    days = RelationDays(corps(zone))
    queue = WorkQueue(room.outbox, Parking(room.pool), QUEUE, MARKS, days.count, key="mark_id")
    while await room.rows("select 1 from relation_day_marks"):
        await queue.work()


async def move(room: Room) -> None:
    worker = EffectWorker(room.pool, MOVE, OneByOne(Moving(room.outbox).perform), at_once=4)
    while await worker.work():
        await worker.drain()


def day(number: int) -> str:
    return (f.at(0).astimezone(ZoneInfo(SHANGHAI)) + timedelta(days=number)).date().isoformat()


async def report(
    room: Room, by: str = "DAY", role: str = "ADMIN", me: str = "boss", zone: str = SHANGHAI, **fields: Any
) -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
    asked = {"first_day": day(-2), "last_day": day(30), **fields}
    request = pb.GetRelationReportRequest(by=Dimension.Value(f"DIMENSION_{by}"), **asked)
    return await RelationReportServicer(room.pool, corps(zone)).GetRelationReport(request, None)


def figures(row: Any) -> Row:
    return row.began, row.ended, row.ended_by_customer, row.readded, row.living


async def told(room: Room, by: str = "DAY", **fields: Any) -> dict[str, Row]:
    """Rows with anything in them. Those by day or employee sum up to the total."""
    answer = await report(room, by, **fields)
    shown = [figures(row) for row in answer.rows]
    if by != "DEPARTMENT":
        assert tuple(sum(column) for column in zip(*shown, strict=True))[:4] == figures(answer.total)[:4] or not shown
    if by == "DAY":
        assert shown[-1][4] == answer.total.living
    if by == "STAFF":
        assert sum(row[4] for row in shown) == answer.total.living
    return {row.key: figures(row) for row in answer.rows if any(figures(row))}


async def plain(room: Room, zone: str = SHANGHAI) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """By (day, employee), from the spans of each pair."""
    pairs: dict[tuple[str, str], list[FollowEvent]] = {}
    for row in await room.rows("select * from follow_events"):
        event = FollowEvent(
            kind=str(row["kind"]),
            at=row["at"],  # type: ignore[arg-type]
            fact_id=str(row["fact_id"]),
            by_transfer=bool(row["by_transfer"]),
        )
        pairs.setdefault((str(row["contact_id"]), str(row["userid"])), []).append(event)
    found: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in ("began", "ended", "by", "again")}
    for (_, userid), events in pairs.items():
        for number, span in enumerate(spans_of(events)):
            began = span.added_at.astimezone(ZoneInfo(zone)).date().isoformat(), userid
            found["began"][began] += 1
            found["again"][began] += number > 0
            if span.ended_at is not None:
                ended = span.ended_at.astimezone(ZoneInfo(zone)).date().isoformat(), userid
                found["ended"][ended] += 1
                found["by"][ended] += span.end == BY_CUSTOMER
    keys = found["began"].keys() | found["ended"].keys()
    return {
        key: (found["began"][key], found["ended"][key], found["by"][key], found["again"][key]) for key in sorted(keys)
    }


async def counted(room: Room) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    rows = await room.rows(
        """
        select day::text, userid, began::int, ended::int, ended_by_customer::int as by, readded::int as again
        from relation_days
        where (began, ended) <> (0, 0)
        order by day, userid
        """
    )
    return {
        (str(row["day"]), str(row["userid"])): (row["began"], row["ended"], row["by"], row["again"])  # type: ignore[misc]
        for row in rows
    }


contacts, members = st.integers(0, 1), st.sampled_from(["anna", "anne"])
# Ties inside a second, and days apart.
seconds = st.sampled_from([0, 1, 2, 20 * HOUR, 20 * HOUR + 1, 45 * HOUR, 46 * HOUR])
follows = st.one_of(
    st.builds(f.added, contacts, members, seconds),
    st.builds(f.ended, contacts, members, seconds, by_customer=st.booleans()),
    st.builds(f.renamed, st.just("anna"), st.just("anne"), seconds),
)


@settings(max_examples=examples(20))
@given(
    messages=st.lists(follows, min_size=2, max_size=12),
    seed=st.integers(0, 2**16),
    zone=st.sampled_from([SHANGHAI, "America/New_York", "Asia/Kolkata"]),
)
async def test_days_equal_the_spans_in_any_order(rooms: Rooms, messages: list[Any], seed: int, zone: str) -> None:
    feeds = [(message, f"{number}") for number, message in enumerate(messages)]
    feeds += random.Random(seed).choices(feeds, k=3)
    random.Random(seed + 1).shuffle(feeds)
    async with rooms("identity") as room:
        for position, (message, fact_id) in enumerate(feeds):
            durable = RENAMES if "new_userid" in message.DESCRIPTOR.fields_by_name else CONTACTS
            await room.take(durable, [received(message, fact_id)])
            if position % 3 == 0:
                await count(room, zone)
        await move(room)
        await count(room, zone)
        assert await counted(room) == await plain(room, zone)
        # Living: what the relations themselves say.
        by_staff = await told(room, "STAFF", zone=zone)
        alive = await room.rows("select userid, count(*)::int as n from relations where alive group by userid")
        assert {key: row[4] for key, row in by_staff.items() if row[4]} == {row["userid"]: row["n"] for row in alive}
        await room.pool.execute("truncate relation_days")
        await mark_where_zones_changed(room.pool, corps(zone), QUEUE, mark_all)
        await count(room, zone)
        assert await counted(room) == await plain(room, zone), "counted anew from what was there"


async def filled(room: Room) -> None:
    """anna: two on day 0, one of whom leaves on day 1 and is back on day 3. bert: one, whom he deletes on day 1."""
    hours: Sequence[tuple[Any, int, str, int]] = (
        (f.added, 1, "anna", 0), (f.added, 2, "anna", 1), (f.added, 1, "bert", 2), (f.added, 3, "carl", 3),
    )  # fmt: skip
    messages = [make(contact, userid, hour * HOUR) for make, contact, userid, hour in hours]
    messages += [f.ended(1, "anna", 24 * HOUR, by_customer=True), f.ended(1, "bert", 25 * HOUR, by_customer=False)]
    messages += [f.added(1, "anna", 72 * HOUR)]
    await room.take(CONTACTS, [received(message, str(number)) for number, message in enumerate(messages)])
    await count(room)
    for userid, within, managed in (("anna", [1, 2], []), ("bert", [1], []), ("carl", [1], []), ("mira", [1], [2])):
        await room.pool.execute(
            """
            insert into staff (corp_id, userid, sealed_name, fingerprint, department_ids, active, version,
                within_department_ids, managed_department_ids)
            values ($1, $2, '', '', $3, true, 1, $3, $4)
            """,
            CORP,
            userid,
            within,
            managed,
        )


async def test_rows_by_day_employee_and_department(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        await filled(room)
        days = await told(room)
        assert [days[day(number)] for number in range(4)] == [
            (4, 0, 0, 0, 4),
            (0, 2, 1, 0, 2),
            (0, 0, 0, 0, 2),
            (1, 0, 0, 1, 3),
        ]
        staff = {"anna": (3, 1, 1, 1, 2), "carl": (1, 0, 0, 0, 1), "bert": (1, 1, 0, 0, 0)}
        assert await told(room, "STAFF") == staff
        assert list(await told(room, "STAFF")) == list(staff), "most living first"
        assert await told(room, "DEPARTMENT") == {"1": (5, 2, 1, 1, 3), "2": (3, 1, 1, 1, 2)}
        assert await told(room, "STAFF", department_id=2) == {"anna": staff["anna"]}
        assert await told(room, "STAFF", userid="BERT") == {"bert": staff["bert"]}
        # Who was there before the period lives in it.
        later = await report(room, first_day=day(2), last_day=day(5))
        assert [row.living for row in later.rows] == [2, 3, 3, 3]
        assert figures(later.total) == (1, 0, 0, 1, 3)


async def test_a_renamed_employee_takes_their_days_along(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        await filled(room)
        await room.take(RENAMES, [received(f.renamed("anna", "anne", 48 * HOUR), "rename")])
        await move(room)
        await count(room)
        assert await counted(room) == await plain(room)
        staff = await told(room, "STAFF")
        # Who is added under the former userid after that is somebody else's.
        assert (staff["anne"], staff["anna"]) == ((2, 1, 1, 0, 1), (1, 0, 0, 0, 1))


async def test_who_is_confined_sees_their_own(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        await filled(room)
        assert set(await told(room, "STAFF", role="FRONTLINE", me="bert")) == {"bert"}
        assert await told(room, "STAFF", role="FRONTLINE", me="bert", userid="anna") == {}
        assert set(await told(room, "STAFF", role="MANAGER", me="mira")) == {"anna"}
        assert set(await told(room, "STAFF", role="MANAGER", me="mira", department_id=1)) == {"anna"}
        assert (await report(room, role="MANAGER", me="mira")).total.living == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"by": "MALL"}, "by"),
        ({"first_day": "yesterday"}, "firstDay"),
        ({"userid": " "}, "userid"),
        ({"department_id": -2}, "departmentId"),
    ],
)
async def test_nonsense_is_refused(rooms: Rooms, fields: dict[str, Any], field: str) -> None:
    async with rooms("identity") as room:
        with pytest.raises(Invalid) as refused:
            await report(room, **fields)
        assert refused.value.field == field


async def test_days_are_cut_anew_where_the_corp_moves_to_another_zone(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        await filled(room)
        for zone in (SHANGHAI, "America/New_York", "Asia/Kolkata"):
            assert await mark_where_zones_changed(room.pool, corps(zone), QUEUE, mark_all) == 1
            await count(room, zone)
            assert await counted(room) == await plain(room, zone)


async def test_a_report_reads_the_days_and_no_relations(rooms: Rooms) -> None:
    """Ten thousand adds of one employee and day are one row."""
    async with rooms("identity") as room:
        await room.pool.execute(
            """
            insert into follow_events (corp_id, fact_id, contact_id, userid, kind, at)
            select $1, 'a' || n, md5(n::text)::uuid, 'anna', 'added', $2
            from generate_series(1, 10000) n
            """,
            CORP,
            f.at(0),
        )
        await count(room)
        assert (await report(room)).total.living == 10_000
        assert await room.rows("select count(*)::int as n from relation_days") == [{"n": 1}]
