"""ListWelcomes: whose welcomes ended how, for those who may see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bihuan.engagement.v1 import welcome_service_pb2 as pb
from bihuan.identity.v1.facts_pb2 import ContactRead, StaffPlaced

from chassis.blobs import Blobs
from chassis.errors import Invalid
from chassis.files import Files
from chassis.idempotency import IdempotentRequests
from chassis.kernel import caller
from chassis.kernel.identifiers import Identifiers
from chassis.moments import stamp
from chassis.sealing import Sealer
from engagement.consumers import Handlers
from engagement.db import welcome_lists
from engagement.db.welcome_lists import UNSENT
from engagement.rpc.welcome_lists import OUTCOMES, WelcomeLists
from engagement.rpc.welcomes import WelcomeServicer
from tests import facts as f
from tests.conftest import CORP, Room, received

Rooms = Callable[..., Any]
STATUSES = ("SENT", "LATE", "REFUSED", "FAILED")
STAFF = ("anna", "bob", "carl")
SENT = [pb.WELCOME_OUTCOME_SENT]


async def listed(room: Room, sealer: Sealer, me: str = "boss", role: str = "ADMIN", **request: Any) -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
    return await WelcomeLists(room.pool, sealer).answer(pb.ListWelcomesRequest(**request))


def numbers(answer: Any) -> list[int]:
    """Which of them: each arrived as many seconds after the morning."""
    return [int((one.arrived_at.ToDatetime(f.MORNING.tzinfo) - f.MORNING).total_seconds()) for one in answer.welcomes]


async def told(room: Room, handlers: Handlers, sealer: Sealer) -> None:
    """Nine welcomes of three employees through two channels, one still open; carl manages anna's department."""
    for number in range(9):
        await room.pool.execute(
            """
            insert into welcomes (
                corp_id, welcome_id, contact_id, userid, channel_id, sealed_code, arrived_at, deadline, status, errcode
            )
            values ($1, $2, $3, $4, $5, '', $6, $6, $7, 41051)
            """,
            CORP,
            f.uid("welcome", number),
            f.uid("external_userid", 1),
            STAFF[number % 3],
            f.uid("channel", number % 2),
            f.at(number),
            "OPEN" if number == 8 else STATUSES[number % 4],
        )
    read = ContactRead(
        corp_id=CORP, contact=f.identifier("external_userid", 1), sealed_name=sealer.seal(CORP, "王小芳"), version=1
    )
    places = [
        StaffPlaced(corp_id=CORP, userid="anna", active=True, version=1, within_department_ids=[7]),
        StaffPlaced(corp_id=CORP, userid="bob", active=True, version=1, within_department_ids=[8]),
        StaffPlaced(corp_id=CORP, userid="carl", active=True, version=1, managed_department_ids=[7]),
    ]
    for durable in (*handlers.welcome_durables(), *handlers.alert_durables()):
        messages = [one for one in (read, *places) if type(one) in durable.types]
        if messages:
            await room.take(durable, [received(one, str(n)) for n, one in enumerate(messages)])


async def test_each_sees_what_they_may_newest_first(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        assert numbers(await listed(room, sealer)) == [7, 6, 5, 3, 2, 1]
        assert numbers(await listed(room, sealer, "anna", "FRONTLINE")) == [6, 3]
        assert numbers(await listed(room, sealer, "carl", "MANAGER")) == [6, 5, 3, 2]
        assert numbers(await listed(room, sealer, "anna", "FRONTLINE", outcomes=SENT)) == [0]
        assert numbers(await listed(room, sealer, "carl", "MANAGER", outcomes=SENT)) == [0]
        assert numbers(await listed(room, sealer, "anna", "FRONTLINE", userid="bob")) == []
        newest = (await listed(room, sealer)).welcomes[0]
        assert (newest.outcome, newest.userid) == (pb.WELCOME_OUTCOME_FAILED, "bob")
        assert (newest.channel_id, newest.customer_name, newest.errcode) == (f.uid("channel", 1), "王小芳", 41051)
        assert (await listed(room, sealer, role="ANALYST")).welcomes[0].customer_name == "王**"


async def test_figures_of_who_is_confined_are_those_of_their_own(
    rooms: Rooms, handlers: Handlers, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        files = Files(room.pool, Blobs("file:///nowhere", "engagement", sealer), sealer)
        once = IdempotentRequests(room.outbox, sealer, identifiers)
        servicer = WelcomeServicer(room.outbox, once, sealer, files, lambda: None)

        async def figures(userid: str, role: str) -> tuple[int, int, int, int, int]:
            caller.enter({"bihuan-corp": CORP, "bihuan-userid": userid, "bihuan-role": role})
            one = await servicer.GetWelcomeFigures(pb.GetWelcomeFiguresRequest(), None)
            return one.sent, one.late, one.refused, one.failed, one.open

        assert await figures("boss", "ADMIN") == (2, 2, 2, 2, 1)
        assert await figures("bob", "FRONTLINE") == (1, 1, 0, 1, 0)
        assert await figures("carl", "MANAGER") == (1, 1, 2, 1, 1)
        assert await figures("dora", "FRONTLINE") == (0, 0, 0, 0, 0)


async def test_a_list_is_filtered_and_paged_without_gaps(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        found, token = [], ""
        while True:
            page = await listed(room, sealer, page_size=3, page_token=token)
            found += numbers(page)
            token = page.next_page_token
            if not token:
                break
        assert found == [7, 6, 5, 3, 2, 1]
        unsent = [pb.WELCOME_OUTCOME_LATE, pb.WELCOME_OUTCOME_FAILED]
        assert numbers(await listed(room, sealer, outcomes=unsent)) == [7, 5, 3, 1]
        assert numbers(await listed(room, sealer, userid="BOB")) == [7, 1]
        assert numbers(await listed(room, sealer, userid="bob", outcomes=[*unsent, *SENT])) == [7, 4, 1]
        assert numbers(await listed(room, sealer, channel_id=f.uid("channel", 0))) == [6, 2]
        of_channel = {"channel_id": f.uid("channel", 0), "outcomes": SENT}
        assert numbers(await listed(room, sealer, "bob", "FRONTLINE", **of_channel)) == [4]
        assert numbers(await listed(room, sealer, since=stamp(f.at(2)), until=stamp(f.at(4)))) == [3, 2]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"page_size": 201}, "pageSize"),
        ({"page_token": "x"}, "pageToken"),
        ({"since": stamp(f.at(9)), "until": stamp(f.at(9))}, "until"),
        ({"channel_id": "x"}, "channelId"),
        ({"outcomes": [0]}, "outcomes"),
        ({"outcomes": [99]}, "outcomes"),
        ({"outcomes": [pb.WELCOME_OUTCOME_SENT]}, "userid"),
    ],
)
async def test_a_wrong_question_is_refused(rooms: Rooms, sealer: Sealer, request_: Any, field: str) -> None:
    async with rooms("engagement") as room:
        with pytest.raises(Invalid) as refusal:
            await listed(room, sealer, **request_)
        assert refusal.value.field == field


async def test_a_list_reads_no_more_than_its_page(rooms: Rooms) -> None:
    """With 200 employees, 50 channels and 20,000 welcomes, what is read follows from the page and the outcomes."""
    async with rooms("engagement") as room:
        await room.pool.execute(
            """
            insert into welcomes (
                corp_id, welcome_id, contact_id, userid, channel_id, sealed_code, arrived_at, deadline, status
            )
            select $1, gen_random_uuid(), $2, 'guide' || n % 200, md5((n % 50)::text)::uuid, '',
                   now() - make_interval(secs => n), now(), case when n % 1000 = 0 then 'FAILED' else 'SENT' end
            from generate_series(1, 20000) n
            """,
            CORP,
            f.uid("external_userid", 1),
        )
        await room.pool.execute("analyze welcomes")
        channel = await room.pool.fetchval("select md5('7')::uuid")
        page = (None, f.uid("none"), None, None, 50)
        for query, arguments in (
            (welcome_lists.OF_CORP, (CORP, list(UNSENT), *page, None)),
            (welcome_lists.OF_CHANNEL, (CORP, list(UNSENT), *page, channel)),
            (welcome_lists.OF_STAFF, (CORP, list(OUTCOMES), *page, None, ["guide7"])),
        ):
            plan = await room.pool.fetch(f"explain (analyze, timing off) {query}", *arguments)
            lines = [str(row[0]) for row in plan]
            assert not any("Seq Scan on welcomes" in line for line in lines), lines
            read = [float(line.split("actual rows=")[1].split()[0]) for line in lines if "on welcomes" in line]
            assert read and max(read) <= 50, lines
            assert not any("Rows Removed by Filter" in line for line in lines), lines
