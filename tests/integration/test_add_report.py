"""The add report equals what a plain reading of the touches says, whatever came in which order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bihuan.acquisition.v1 import add_report_service_pb2 as pb
from bihuan.common.v1.list_pb2 import Dimension
from bihuan.identity.v1.facts_pb2 import StaffPlaced, StaffRenamed
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.app.add_days import AddDays
from acquisition.consumers import DURABLES
from acquisition.db.add_days import MARKS, QUEUE, mark_all
from acquisition.rpc.add_report import AddReportServicer
from chassis.errors import Invalid
from chassis.kernel import caller
from chassis.kernel.corps import Corp, Corps
from chassis.kernel.day_rollup import mark_where_zones_changed
from chassis.moments import stamp
from chassis.parking import Parking
from chassis.work_queue import WorkQueue
from tests import facts as f
from tests.conftest import CORP, Room, received

Rooms = Callable[..., Any]
ADDS, PLACE, STAFF, RENAME = (
    next(one for one in DURABLES if one.name.endswith(end))
    for end in ("on-contact-added", "on-identifiers-assigned", "on-staff-placed", "on-staff-renamed")
)
HOUR = 3600


def corps(zone: str = "Asia/Shanghai") -> Corps:
    return Corps((Corp.model_construct(corp_id=CORP, name="c", timezone=zone, app=(), mall=(), role=()),))


async def count(room: Room, zone: str = "Asia/Shanghai") -> None:
    days = AddDays(corps(zone))
    queue = WorkQueue(room.outbox, Parking(room.pool), QUEUE, MARKS, days.count, key="mark_id")
    while await room.rows("select 1 from add_day_marks"):
        await queue.work()


async def report(room: Room, by: str = "DAY", role: str = "ADMIN", me: str = "boss", **fields: Any) -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
    asked = {"first_day": day(-1), "last_day": day(20), **fields}
    request = pb.GetAddReportRequest(by=Dimension.Value(f"DIMENSION_{by}"), **asked)
    return await AddReportServicer(room.pool, corps()).GetAddReport(request, None)


def day(number: int) -> str:
    return (f.at(0).astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(days=number)).date().isoformat()


async def told(room: Room, by: str = "DAY", **fields: Any) -> dict[str, tuple[int, int]]:
    answer = await report(room, by, **fields)
    if by in ("DAY", "CHANNEL", "STAFF"):
        assert sum(row.adds for row in answer.rows) == answer.total.adds
        assert sum(row.customers for row in answer.rows) == answer.total.customers
    return {row.key: (row.adds, row.customers) for row in answer.rows if row.adds}


async def plain(room: Room, zone: str = "Asia/Shanghai") -> dict[str, tuple[int, int]]:
    """By day, from the touches one by one."""
    placed = await room.rows("select identifier_id, customer_id from customer_identifiers")
    person = {row["identifier_id"]: row["customer_id"] or row["identifier_id"] for row in placed}
    touches = await room.rows("select * from touches where kind <> 'CONFIRMED' order by added_at, touch_id")
    adds: Counter[str] = Counter()
    customers: Counter[str] = Counter()
    known = set()
    for touch in touches:
        own_day = touch["added_at"].astimezone(ZoneInfo(zone)).date().isoformat()  # type: ignore[attr-defined]
        adds[own_day] += 1
        who = person.get(touch["contact_id"], touch["contact_id"])
        if who not in known:
            customers[own_day] += 1
            known.add(who)
    return {own_day: (adds[own_day], customers[own_day]) for own_day in adds}


added = st.tuples(st.integers(0, 3), st.sampled_from(["anna", "bert"]), st.integers(0, 100))
assignments = st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), max_size=3)


@settings(max_examples=12)
@given(
    adds=st.lists(added, min_size=1, max_size=8),
    placings=assignments,
    seed=st.integers(0, 2**16),
    zone=st.sampled_from(["Asia/Shanghai", "America/New_York"]),
)
async def test_days_equal_a_plain_reading_in_any_order(
    rooms: Rooms, adds: list[tuple[int, str, int]], placings: list[list[int]], seed: int, zone: str
) -> None:
    """Each placing says for four contacts whose they are; a later one may move a contact to another customer."""
    feeds: list[tuple[Any, Any]] = [
        (ADDS, received(f.added(contact, userid, hour * HOUR), f"a{number}"))
        for number, (contact, userid, hour) in enumerate(adds)
    ]
    for version, placing in enumerate(placings, start=1):
        feeds += [
            (PLACE, received(f.assigned(customer, [("external_userid", contact)], version), f"p{version}{contact}"))
            for contact, customer in enumerate(placing)
        ]
    feeds += random.Random(seed).choices(feeds, k=2)
    random.Random(seed + 1).shuffle(feeds)
    async with rooms("acquisition") as room:
        for position, (durable, fact) in enumerate(feeds):
            await room.take(durable, [fact])
            if position % 3 == 0:
                await count(room, zone)
        await count(room, zone)
        rows = await room.rows(
            """
            select day::text, sum(adds)::int as adds, sum(customers)::int as customers
            from add_days
            group by day
            having sum(adds) > 0
            """
        )
        assert {row["day"]: (row["adds"], row["customers"]) for row in rows} == await plain(room, zone)


async def filled(room: Room, *adds: tuple[int, str, int]) -> None:
    await room.take(
        ADDS,
        [
            received(f.added(contact, userid, hour * HOUR), f"a{number}")
            for number, (contact, userid, hour) in enumerate(adds)
        ],
    )
    await count(room)


async def placed(room: Room, userid: str, within: Sequence[int], managed: Sequence[int] = ()) -> None:
    fact = StaffPlaced(
        corp_id=CORP,
        userid=userid,
        active=True,
        within_department_ids=within,
        managed_department_ids=managed,
        version=1,
    )
    await room.take(STAFF, [received(fact, f"placed {userid}")])


async def test_rows_by_employee_department_and_channel(rooms: Rooms) -> None:
    async with rooms("acquisition") as room:
        await filled(room, (1, "anna", 0), (2, "anna", 1), (1, "bert", 30))
        await placed(room, "anna", [1, 2])
        await placed(room, "bert", [1])
        assert await told(room, "STAFF") == {"anna": (2, 2), "bert": (1, 0)}
        assert await told(room, "DEPARTMENT") == {"1": (3, 2), "2": (2, 2)}
        assert await told(room, "DEPARTMENT", department_id=2) == {"1": (2, 2), "2": (2, 2)}
        ((channel_id, figures),) = (await told(room, "CHANNEL")).items()
        assert figures == (3, 2)
        assert await told(room, "STAFF", channel_id=channel_id, userid="BERT") == {"bert": (1, 0)}
        assert await told(room, "STAFF", channel_id=f.uid("channel", 9)) == {}
        assert len((await report(room)).rows) == 22


async def test_who_is_confined_sees_their_own(rooms: Rooms) -> None:
    async with rooms("acquisition") as room:
        await filled(room, (1, "anna", 0), (2, "bert", 1), (3, "carl", 2))
        await placed(room, "anna", [1, 2])
        await placed(room, "bert", [1])
        await placed(room, "mira", [1], managed=[2])
        assert await told(room, "STAFF", role="FRONTLINE", me="bert") == {"bert": (1, 1)}
        assert await told(room, "STAFF", role="FRONTLINE", me="bert", userid="anna") == {}
        assert await told(room, "STAFF", role="MANAGER", me="mira") == {"anna": (1, 1)}
        assert await told(room, "STAFF", role="MANAGER", me="mira", department_id=1) == {"anna": (1, 1)}


async def test_a_renamed_employee_is_one_and_a_reused_userid_another(rooms: Rooms) -> None:
    async with rooms("acquisition") as room:
        await filled(room, (1, "anna", 0), (2, "anna", 24 * 9), (3, "annika", 24 * 9 + 1))
        renamed = StaffRenamed(corp_id=CORP, former_userid="anna", userid="annika", at=stamp(f.at(24 * 4 * HOUR)))
        await room.take(RENAME, [received(renamed, "rename")])
        await count(room)
        assert await told(room, "STAFF") == {"annika": (2, 2), "anna": (1, 1)}
        assert await told(room, "STAFF", userid="annika") == {"annika": (2, 2)}
        assert sum(adds for adds, _ in (await told(room, userid="anna")).values()) == 1


async def test_days_are_cut_anew_where_the_corp_moves_to_another_zone(rooms: Rooms) -> None:
    async with rooms("acquisition") as room:
        await filled(room, (1, "anna", 0), (2, "anna", 10), (3, "anna", 20))
        for zone in ("Asia/Shanghai", "America/New_York", "Asia/Tokyo"):
            assert await mark_where_zones_changed(room.pool, corps(zone), QUEUE, mark_all) == 1
            await count(room, zone)
            rows = await room.rows("select day, sum(adds)::int as adds from add_days group by day having sum(adds) > 0")
            assert {str(row["day"]): row["adds"] for row in rows} == {
                own_day: adds for own_day, (adds, _) in (await plain(room, zone)).items()
            }


async def test_a_day_may_begin_at_half_past(rooms: Rooms) -> None:
    """A quarter to seven in the evening, UTC, is a quarter past midnight in Kolkata."""
    async with rooms("acquisition") as room:
        await room.take(ADDS, [received(f.added(1, "anna", 16 * HOUR + HOUR * 3 // 4), "late")])
        await room.pool.execute("truncate add_day_marks")
        assert await mark_where_zones_changed(room.pool, corps("Asia/Kolkata"), QUEUE, mark_all) == 1
        await count(room, "Asia/Kolkata")
        rows = await room.rows("select day::text, adds::int from add_days where adds > 0")
        assert {row["day"]: (row["adds"], row["adds"]) for row in rows} == await plain(room, "Asia/Kolkata") != {}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"by": "MALL"}, "by"),
        ({"first_day": "yesterday"}, "firstDay"),
        ({"channel_id": "x"}, "channelId"),
    ],
)
async def test_nonsense_is_refused(rooms: Rooms, fields: dict[str, Any], field: str) -> None:
    async with rooms("acquisition") as room:
        with pytest.raises(Invalid) as refused:
            await report(room, **fields)
        assert refused.value.field == field


async def test_an_older_release_counts_too(rooms: Rooms) -> None:
    """It writes rows and knows nothing of marks."""
    async with rooms("acquisition") as room:
        await filled(room, (1, "anna", 0))
        await room.pool.execute("update touches set kind = 'CONFIRMED'")
        await count(room)
        assert await told(room) == {}


async def test_a_report_reads_the_days_and_no_adds(rooms: Rooms) -> None:
    """Ten thousand adds of one day are one row."""
    async with rooms("acquisition") as room:
        await filled(room, (1, "anna", 0))
        await room.pool.execute(
            """
            insert into touches (
                corp_id, touch_id, contact_id, sealed_contact, userid, channel_id, half, sealed_welcome_code, added_at,
                arrived_at, kind, version
            )
            select corp_id, 't' || n, md5(n::text)::uuid, '', userid, channel_id, false, '', added_at, added_at,
                'NEW', 1
            from touches, generate_series(1, 10000) n
            """
        )
        await count(room)
        assert (await report(room)).total.adds == 10_001
        assert await room.rows("select count(*)::int as n from add_days") == [{"n": 1}]
