"""Customer lists at scale: what a page reads is bounded by the page and the scope, never by the corp."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bihuan.identity.v1 import customer_service_pb2 as pb

from chassis.errors import Invalid, NotFound
from chassis.kernel import caller
from chassis.kernel.identifiers import Identifiers
from chassis.paging import NIL
from chassis.sealing import Sealer
from identity.app.names import NamePrefixes
from identity.db import customer_pages as pages
from identity.db.customer_pages import Wanted
from identity.rpc.customers import CustomerServicer
from tests.conftest import CORP, Room

Rooms = Callable[..., Any]
CUSTOMERS = 100_000
AT = datetime(2026, 1, 1, tzinfo=UTC)
# Customer n has contact n and a shop account; contact n is followed by guide n mod 100, the first ten also by `few`.
FILL = """
insert into customers (corp_id, customer_id, created_at)
select $1, lpad(to_hex(n), 32, '0')::uuid, timestamptz '2026-01-01'
from generate_series(1, $2) n;
insert into identifiers (corp_id, identifier_id, kind, sealed, customer_id, first_seen)
select $1, md5(kind || n)::uuid, kind, ''::bytea, lpad(to_hex(n), 32, '0')::uuid, timestamptz '2026-01-01'
from generate_series(1, $2) n, unnest(array['external_userid', 'yz_open_id']) kind;
insert into relations (corp_id, contact_id, userid, alive, added_at, version)
select $1, md5('external_userid' || n)::uuid, 'guide' || n % 100, true, timestamptz '2026-01-01', 1
from generate_series(1, $2) n
union all
select $1, md5('external_userid' || n)::uuid, 'few', true, timestamptz '2026-01-01', 1
from generate_series(1, 10) n;
insert into staff (corp_id, userid, sealed_name, fingerprint, department_ids, active, version, within_department_ids,
    managed_department_ids)
select $1, userid, '', '', '{1}', true, 1, case when userid like 'guide%' then '{1}' else '{2}' end::bigint[],
    case when userid = 'boss' then '{1}' else '{}' end::bigint[]
from (select 'guide' || n from generate_series(0, 99) n union all values ('few'), ('boss'), ('nobody')) s(userid)
"""


def prefix(identifiers: Identifiers, text: str) -> str:
    return NamePrefixes(identifiers).asked(CORP, text)


async def fill(room: Room, sealer: Sealer, customers: int = CUSTOMERS) -> None:
    for statement in FILL.split(";\n"):
        arguments = (CORP, customers) if "$2" in statement else (CORP,)
        await room.pool.execute(statement, *arguments)
    await room.pool.execute(
        "update identifiers set sealed = $1 where kind = 'external_userid'", sealer.seal(CORP, "wm")
    )
    await room.pool.execute("vacuum analyze")


async def name(room: Room, sealer: Sealer, identifiers: Identifiers, customers: int = CUSTOMERS) -> None:
    """Contact n is named n and the last two digits of n; customer n is known since minute n."""
    names = [prefix(identifiers, one) for one in ("n", *(f"n{n:02d}" for n in range(100)))]
    await room.pool.execute(
        """
        insert into contacts (corp_id, contact_id, sealed_name, version, name_prefix_ids, prefixed_version)
        select $1, md5('external_userid' || n)::uuid, $3, 1, array[($4::uuid[])[1], ($4::uuid[])[n % 100 + 2]], 1
        from generate_series(1, $2) n
        """,
        CORP,
        customers,
        sealer.seal(CORP, "n"),
        names,
    )
    await room.pool.execute(
        """
        update customers
        set created_at = $2::timestamptz + ('x' || right(customer_id::text, 8))::bit(32)::int * interval '1 minute'
        where corp_id = $1
        """,
        CORP,
        AT,
    )
    await room.pool.execute("vacuum analyze")


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


async def rows_read(room: Room, sql: str, *arguments: Any) -> float:
    """Rows that the statement's plan takes from tables and indexes, whatever the parameters; none of them whole."""
    async with room.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local plan_cache_mode = force_generic_plan")
        explained = await connection.fetchval(f"explain (analyze, timing off, format json) {sql}", *arguments)
    found = list(nodes(json.loads(explained)[0]["Plan"]))
    assert not [node for node in found if node["Node Type"] == "Seq Scan" and node["Relation Name"] != "staff"]
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in found
        if "Relation Name" in node
    )


async def test_a_page_reads_what_it_shows(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer)
        await name(room, sealer, identifiers)
        guides = [f"guide{n}" for n in range(100)]
        middle = (AT + timedelta(minutes=CUSTOMERS // 2), NIL)
        everything = {"since": AT + timedelta(minutes=10), "until": AT + timedelta(minutes=CUSTOMERS - 10)}
        rare, common = prefix(identifiers, "n77"), prefix(identifiers, "n")
        one_guide = CUSTOMERS // 100
        cases: list[tuple[pages.Begin, int, dict[str, Any]]] = [
            ("customers", 60, {}),
            ("customers", 60, everything),
            ("customers", 300, {"followers": guides}),
            ("customers", 500, {"followers": guides, "prefix_id": common, **everything}),
            ("relations", 40, {"followers": ["few"]}),
            ("relations", 4 * one_guide, {"followers": ["guide1"], **everything}),
            ("relations", 8 * one_guide, {"followers": ["guide1"], "prefix_id": common}),
            ("names", 4 * one_guide, {"prefix_id": rare}),
            ("names", 8 * one_guide, {"prefix_id": rare, "followers": guides, **everything}),
        ]
        for descending in (True, False):
            for begins, most, fields in cases:
                wanted = Wanted(CORP, **fields)
                async with room.pool.acquire() as connection:
                    assert await pages.begin(connection, wanted) == begins
                sql = pages.page_sql(begins, descending=descending)
                read = await rows_read(room, sql, *wanted.between(middle, descending=descending), 50)
                assert read <= most, (begins, descending, fields)
        # Of a manager of ten thousand each is hashed, none is looked up.
        many = [*guides, *(f"employee{n}" for n in range(10_000))]
        all_of_them = Wanted(CORP, many, common).between(None, descending=True)
        assert await rows_read(room, pages.COUNT_CUSTOMERS, *all_of_them, pages.NARROW) <= 8 * pages.NARROW
        assert await rows_read(room, pages.FEW_RELATIONS, CORP, guides, pages.NARROW + 1) <= pages.NARROW + 200
        assert await rows_read(room, pages.FEW_NAMES, CORP, common, pages.NARROW + 1) <= pages.NARROW + 1

        servicer = CustomerServicer(room.pool, sealer, identifiers)
        for userid, expected in (("few", 10), ("nobody", 0), ("guide7", CUSTOMERS // 100), ("boss", 2000)):
            seen = await all_of(servicer, userid, expected)
            assert seen == sorted(set(seen), reverse=True)
            assert len(seen) == expected


async def all_of(servicer: CustomerServicer, userid: str, most: int) -> list[str]:
    """Pages through what the member sees, up to `most`."""
    role = "MANAGER" if userid == "boss" else "FRONTLINE"
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": userid, "bihuan-role": role})
    seen: list[str] = []
    token = ""
    while True:
        page = await servicer.ListCustomers(pb.ListCustomersRequest(page_size=200, page_token=token), None)
        seen += [one.customer_id for one in page.customers]
        token = page.next_page_token
        if not token or (userid == "boss" and len(seen) >= most):
            return seen


@pytest.mark.parametrize("userid", ["few", "nobody"])
async def test_a_customer_of_others_is_not_found(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, userid: str
) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer, 20)
        servicer = CustomerServicer(room.pool, sealer, identifiers)
        role = {"bihuan-corp": CORP, "bihuan-userid": userid, "bihuan-role": "FRONTLINE"}
        caller.enter(role)
        with pytest.raises(NotFound):
            await servicer.GetCustomer(pb.GetCustomerRequest(customer_id=f"{15:032x}"), None)


async def test_a_list_of_one_employees_customers_stays_in_the_callers_scope(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer, 300)
        servicer = CustomerServicer(room.pool, sealer, identifiers)

        async def listed(me: str, role: str, userid: str) -> int:
            caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
            return len((await servicer.ListCustomers(pb.ListCustomersRequest(userid=userid), None)).customers)

        assert await listed("anybody", "ADMIN", "GUIDE7") == 3
        assert await listed("boss", "MANAGER", "guide7") == 3
        assert await listed("boss", "MANAGER", "few") == 0
        assert await listed("few", "FRONTLINE", "few") == 10
        assert await listed("few", "FRONTLINE", "guide7") == 0


async def test_a_contact_is_found_by_whoever_may_see_it(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("identity") as room:
        await fill(room, sealer, 20)
        name = identifiers.name(CORP, "external_userid", "wmKnown")
        assert name is not None
        await room.pool.execute(
            """
            insert into identifiers (corp_id, identifier_id, kind, sealed, customer_id, first_seen)
            values ($1, $2, 'external_userid', $3, $4, now())
            """,
            CORP,
            name.id,
            name.sealed,
            f"{15:032x}",
        )
        servicer = CustomerServicer(room.pool, sealer, identifiers)

        async def found(me: str, role: str, external_userid: str = "wmKnown") -> str:
            caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
            request = pb.GetCustomerOfContactRequest(external_userid=external_userid)
            return (await servicer.GetCustomerOfContact(request, None)).customer.customer_id

        async def named(me: str, role: str, identifier_id: str = name.id) -> str:
            caller.enter({"bihuan-corp": CORP, "bihuan-userid": me, "bihuan-role": role})
            asked = pb.GetCustomerOfIdentifierRequest(identifier_id=identifier_id)
            return (await servicer.GetCustomerOfIdentifier(asked, None)).customer.customer_id

        for me, role in (("anybody", "ADMIN"), ("guide15", "FRONTLINE"), ("boss", "MANAGER")):
            assert (await found(me, role)).replace("-", "") == f"{15:032x}"
            assert await named(me, role) == await found(me, role)
        for me, role, external_userid in (
            ("few", "FRONTLINE", "wmKnown"),
            ("anybody", "ADMIN", "wmUnknown"),
            ("anybody", "ADMIN", "-"),
        ):
            with pytest.raises(NotFound):
                await found(me, role, external_userid)
        for me, role, identifier_id, refusal in (
            ("few", "FRONTLINE", name.id, NotFound),
            ("anybody", "ADMIN", f"{99:032x}", NotFound),
            ("anybody", "ADMIN", "nonsense", Invalid),
        ):
            with pytest.raises(refusal):
                await named(me, role, identifier_id)
