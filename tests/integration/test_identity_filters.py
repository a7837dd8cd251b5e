"""Lists of customers and members with filters: what they show, to whom, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from bihuan.access.v1.access_pb2 import Role
from bihuan.identity.v1 import customer_service_pb2 as pb
from bihuan.identity.v1 import staff_service_pb2 as staff_pb

from chassis import paging
from chassis.errors import DomainError, Forbidden, Invalid
from chassis.kernel import caller
from chassis.kernel.identifiers import Identifiers
from chassis.moments import stamp
from chassis.sealing import Sealer
from identity.app.names import CatchingUp, NamePrefixes
from identity.db.contacts import CONTACTS
from identity.rpc.customers import CustomerServicer
from identity.rpc.staff import StaffServicer
from tests.conftest import CORP, Room

Rooms = Callable[..., Any]
AT = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("张伟", "张小明", "Zhang San", "zhao", "李四")
FOLLOWERS = ("anna", "bert", "carl", "anna", "anna")
# Who stands where; department 2 lies in 1.
PLACES = {"anna": [1, 2], "bert": [1, 2], "carl": [1, 3], "mira": [1]}


def enter(role: str = "ADMIN", userid: str = "boss") -> None:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": userid, "bihuan-role": role})


def customer(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


async def fill(room: Room, sealer: Sealer, identifiers: Identifiers) -> None:
    """Customer n, from 1 on, was first known on day n, is named and followed as above."""
    names = NamePrefixes(identifiers)
    for number, (name, userid) in enumerate(zip(NAMES, FOLLOWERS, strict=True), start=1):
        await add(room, sealer, number, AT + timedelta(days=number), userid)
        row = {"corp_id": CORP, "contact_id": customer(number), "sealed_name": sealer.seal(CORP, name), "version": 1}
        row |= {"name_prefix_ids": names.of(CORP, name), "prefixed_version": 1}
        async with room.pool.acquire() as connection:
            await CONTACTS.save(connection, [row])
    for userid, within in PLACES.items():
        await room.pool.execute(
            """
            insert into staff (corp_id, userid, sealed_name, fingerprint, department_ids, active, version,
                within_department_ids, managed_department_ids, name_prefix_ids, prefixed_version)
            values ($1, $2, $3, '', $4, $2 <> 'carl', 1, $4, $5, $6, 1)
            """,
            CORP,
            userid,
            sealer.seal(CORP, f"Staff {userid}"),
            within,
            [2] if userid == "mira" else [],
            names.of(CORP, f"Staff {userid}"),
        )
    await room.pool.execute("insert into roles (corp_id, userid, role) values ($1, 'mira', 'MANAGER')", CORP)


async def add(room: Room, sealer: Sealer, number: int, at: datetime, userid: str) -> None:
    one = customer(number)
    await room.pool.execute(
        "insert into customers (corp_id, customer_id, created_at) values ($1, $2, $3)", CORP, one, at
    )
    await room.pool.execute(
        """
        insert into identifiers (corp_id, identifier_id, kind, sealed, customer_id, first_seen)
        values ($1, $2, 'external_userid', $3, $2, $4)
        """,
        CORP,
        one,
        sealer.seal(CORP, f"wm{number}"),
        at,
    )
    await room.pool.execute(
        """
        insert into relations (corp_id, contact_id, userid, alive, added_at, version)
        values ($1, $2, $3, true, $4, 1)
        """,
        CORP,
        one,
        userid,
        at,
    )


class Lists:
    def __init__(self, room: Room, sealer: Sealer, identifiers: Identifiers) -> None:
        self._customers = CustomerServicer(room.pool, sealer, identifiers)
        self._staff = StaffServicer(room.pool, sealer, NamePrefixes(identifiers), cast(Any, None), cast(Any, None))

    async def page(self, **fields: Any) -> pb.ListCustomersResponse:
        return await self._customers.ListCustomers(pb.ListCustomersRequest(**fields), None)

    async def customers(self, **fields: Any) -> list[int]:
        """The customers' numbers, as listed; the total equals them."""
        answer = await self.page(with_total=True, **fields)
        assert (answer.total.count, answer.total.at_least) == (len(answer.customers), False)
        return [int(one.customer_id[-12:], 16) for one in answer.customers]

    async def staff_page(self, **fields: Any) -> staff_pb.ListStaffResponse:
        return await self._staff.ListStaff(staff_pb.ListStaffRequest(**fields), None)

    async def staff(self, **fields: Any) -> list[str]:
        answer = await self.staff_page(with_total=True, **fields)
        assert (answer.total.count, answer.total.at_least) == (len(answer.staff), False)
        return [one.userid for one in answer.staff]


async def test_customers_by_name_department_and_time(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer, identifiers)
        lists = Lists(room, sealer, identifiers)
        enter()
        assert await lists.customers() == [5, 4, 3, 2, 1]
        assert await lists.customers(order_by="created_at") == [1, 2, 3, 4, 5]
        assert await lists.customers(name="张") == [2, 1]
        assert await lists.customers(name="张小") == [2]
        assert await lists.customers(name="小") == []
        # Width, case and blanks make no difference.
        assert await lists.customers(name=" ＺＨＡ") == [4, 3]
        assert await lists.customers(name="zhang  s") == [3]
        assert await lists.customers(department_id=2) == [5, 4, 2, 1]
        assert await lists.customers(department_id=2, userid="ANNA", name="zh") == [4]
        assert await lists.customers(department_id=3, userid="anna") == []
        since, until = stamp(AT + timedelta(days=2)), stamp(AT + timedelta(days=4))
        assert await lists.customers(since=since, until=until) == [3, 2]
        assert await lists.customers(since=since, until=until, name="张", department_id=1) == [2]


async def test_filters_stay_in_the_callers_scope(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer, identifiers)
        lists = Lists(room, sealer, identifiers)
        enter("FRONTLINE", "bert")
        assert await lists.customers(name="张") == [2]
        assert await lists.customers(department_id=1) == [2]
        assert await lists.customers(userid="anna") == []
        enter("MANAGER", "mira")
        assert await lists.customers(department_id=3) == []
        assert await lists.customers(name="zh") == [4]
        assert await lists.staff() == ["anna", "bert", "mira"]
        assert await lists.staff(department_id=3) == []
        enter("ANALYST", "ana")
        assert await lists.customers(department_id=3) == [3]
        # Letter by letter they could guess what is masked.
        with pytest.raises(Forbidden) as refused:
            await lists.customers(name="张")
        assert refused.value.field == "name"
        assert await lists.staff(name="staff") == []
        assert await lists.staff(name="ANN") == ["anna"]


async def test_staff_by_name_department_role_and_state(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer, identifiers)
        lists = Lists(room, sealer, identifiers)
        enter()
        assert await lists.staff() == ["anna", "bert", "carl", "mira"]
        assert await lists.staff(order_by="userid desc") == ["mira", "carl", "bert", "anna"]
        assert await lists.staff(name="staff b") == ["bert"]
        assert await lists.staff(name="Ca") == ["carl"]
        assert await lists.staff(name="x" * 40) == []
        assert await lists.staff(department_id=2) == ["anna", "bert"]
        assert await lists.staff(role=Role.ROLE_MANAGER) == ["mira"]
        assert await lists.staff(role=Role.ROLE_FRONTLINE, department_id=1, active=True) == ["anna", "bert"]
        assert await lists.staff(active=False) == ["carl"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"userid": " "}, "userid"),
        ({"name": " "}, "name"),
        ({"name": "x" * 17}, "name"),
        ({"department_id": -1}, "departmentId"),
        ({"since": stamp(AT), "until": stamp(AT)}, "until"),
        ({"order_by": "net_paid"}, "orderBy"),
        ({"page_token": "nonsense"}, "pageToken"),
    ],
)
async def test_nonsense_is_refused(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, fields: dict[str, Any], field: str
) -> None:
    async with rooms("identity") as room:
        enter()
        with pytest.raises(Invalid) as refused:
            await Lists(room, sealer, identifiers).customers(**fields)
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"department_id": 0}, "departmentId"),
        ({"role": Role.ROLE_SERVICE}, "role"),
        ({"order_by": "name"}, "orderBy"),
    ],
)
async def test_nonsense_about_staff_is_refused(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, fields: dict[str, Any], field: str
) -> None:
    async with rooms("identity") as room:
        enter()
        with pytest.raises(DomainError) as refused:
            await Lists(room, sealer, identifiers).staff(**fields)
        assert (type(refused.value), refused.value.field) == (Invalid, field)


async def test_pages_of_staff_go_on_in_the_release_before(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    """It knows one order, and its tokens are userids."""
    async with rooms("identity") as room:
        await fill(room, sealer, identifiers)
        enter()
        lists = Lists(room, sealer, identifiers)
        first = await lists.staff_page(page_size=2)
        assert paging.page(2, first.next_page_token).after == "bert"
        token = paging.Page(2, "").next_token(["anna", "bert"])
        second = await lists.staff_page(page_size=2, page_token=token)
        assert [one.userid for one in second.staff] == ["carl", "mira"]
        last = await lists.staff_page(page_size=2, order_by="userid desc")
        with pytest.raises(Invalid) as refused:
            await lists.staff_page(page_size=2, page_token=last.next_page_token)
        assert refused.value.field == "pageToken"
        back = await lists.staff_page(page_size=2, page_token=last.next_page_token, order_by="userid desc")
        assert [one.userid for one in back.staff] == ["bert", "anna"]


@pytest.mark.parametrize("order", ["created_at", "created_at desc"])
async def test_pages_survive_what_comes_meanwhile(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, order: str
) -> None:
    """Customers known at one moment are told apart by their ids; who comes before or behind moves nobody."""
    async with rooms("identity") as room:
        enter()
        for number in range(1, 8):
            await add(room, sealer, number, AT, "anna")
        lists = Lists(room, sealer, identifiers)
        seen: list[str] = []
        token, number = "", 100
        while True:
            page = await lists.page(page_size=2, page_token=token, order_by=order)
            seen += [one.customer_id for one in page.customers if int(one.customer_id[-12:], 16) < 100]
            token = page.next_page_token
            if not token:
                break
            if number < 103:
                number += 1
                at = AT - timedelta(days=number) if order == "created_at" else AT + timedelta(days=number)
                await add(room, sealer, number, at, "anna")
        assert sorted(seen) == [customer(one) for one in range(1, 8)]
        assert len(set(seen)) == len(seen)


async def test_names_of_the_release_before_are_found(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    """It writes names without their beginnings, also over those that have some."""
    async with rooms("identity") as room:
        await fill(room, sealer, identifiers)
        catching_up = CatchingUp(room.outbox, sealer, NamePrefixes(identifiers))
        assert await catching_up.work() == 0
        await room.pool.execute(
            "update contacts set sealed_name = $2, version = 2 where corp_id = $1 and contact_id = $3",
            CORP,
            sealer.seal(CORP, "王五"),
            customer(1),
        )
        await room.pool.execute(
            "insert into contacts (corp_id, contact_id, sealed_name, version) values ($1, $2, $3, 1), ($1, $4, $5, 1)",
            CORP,
            customer(7),
            sealer.seal(CORP, "王六"),
            customer(8),
            b"\x02xx no key opens this",
        )
        await room.pool.execute(
            "update staff set sealed_name = $2, version = 2 where corp_id = $1 and userid = 'anna'",
            CORP,
            sealer.seal(CORP, "安娜"),
        )
        await add(room, sealer, 7, AT, "anna")
        while await catching_up.work():
            pass
        lists = Lists(room, sealer, identifiers)
        enter()
        assert await lists.customers(name="王") == [1, 7]
        assert await lists.customers(name="张") == [2]
        assert await lists.staff(name="安") == ["anna"]
        left = await room.rows("select distinct contact_id::text as id from contact_name_prefixes order by 1")
        assert [row["id"] for row in left] == [customer(one) for one in (1, 2, 3, 4, 5, 7)]


async def test_no_letter_of_a_name_is_in_the_tables(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer, identifiers)
        other = Identifiers("A" * 43 + "=", sealer)
        here = {str(row["prefix_id"]) for row in await room.rows("select prefix_id from contact_name_prefixes")}
        assert here == {one for name in NAMES for one in NamePrefixes(identifiers).of(CORP, name)}
        assert here.isdisjoint(one for name in NAMES for one in NamePrefixes(other).of(CORP, name))
        assert here.isdisjoint(one for name in NAMES for one in NamePrefixes(identifiers).of("another corp", name))
