"""Projections without inbox: shuffled, doubled and replayed, their facts leave the same tables, row for row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from bihuan.commerce.v1.facts_pb2 import OrderAttributed
from bihuan.common.v1.money_pb2 import Money
from bihuan.identity.v1.facts_pb2 import ContactRead, StaffPlaced
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition import consumers as acquisition
from chassis.consumer import Durable
from commerce import consumers as commerce
from engagement.consumers import Handlers
from identity import consumers as identity
from tests import facts as f
from tests.conftest import CORP, Room, examples
from tests.integration.test_any_order import live_through, numbered, route

Rooms = Callable[[str], Any]

few = st.integers(0, 2)
members = st.sampled_from(["anna", "bob"])
# Of one key and version there is one fact: what is stated depends on both alone.
stated = st.lists(
    st.one_of(
        st.builds(
            lambda n, v: f.assigned((n + v) % 3, [("external_userid", n), ("phone", (n * v) % 3)], v),
            few,
            st.integers(1, 99),
        ),
        st.builds(
            lambda n, e, v: f.related(n, e, [(v, v + 9), (v + 20, None)][: v % 3], v), few, members, st.integers(1, 9)
        ),
        st.builds(lambda n, v: f.acquired(f"t{n}", n, "anna", v, v, version=v), few, st.integers(1, 9)),
        st.builds(
            lambda e, v: StaffPlaced(
                corp_id=CORP,
                userid=e,
                sealed_name=b"n%d" % v,
                active=v % 2 == 0,
                version=v,
                within_department_ids=range(v % 4),
                managed_department_ids=range(v % 3),
            ),
            members,
            st.integers(1, 9),
        ),
        st.builds(
            lambda n, v: ContactRead(
                corp_id=CORP, contact=f.identifier("external_userid", n), sealed_name=b"n%d" % v, version=v
            ),
            few,
            st.integers(1, 9),
        ),
        st.builds(
            lambda n, v: OrderAttributed(
                corp_id=CORP,
                mall_id="yz",
                order_id=f"o{n}",
                buyer_id=f.uid("buyer", v % 2),
                version=v,
                paid=Money(amount=v, currency="CNY") if v % 3 else None,
            ),
            few,
            st.integers(1, 9),
        ),
    ),
    max_size=24,
    # Assignments share a sequence: no two have one version.
    unique_by=lambda message: (type(message), message.version if hasattr(message, "identifier_ids") else str(message)),
)

# By durable's service: the tables that its projections keep.
TABLES = {
    "acquisition": ("customer_identifiers",),
    "commerce": ("customer_identifiers", "relations", "relation_spans", "touches", "staff_places"),
    "engagement": ("contacts", "staff", "staff_places"),
    "identity": ("order_values",),
}


async def tables(room: Room, service: str) -> dict[str, Any]:
    return {table: sorted(map(str, await room.rows(f"select * from {table}"))) for table in TABLES[service]}


@settings(max_examples=examples(8))
@given(stated, st.integers())
async def test_projections_need_no_inbox(rooms: Rooms, handlers: Handlers, messages: list[Any], seed: int) -> None:
    every: dict[str, tuple[Durable, ...]] = {
        "acquisition": acquisition.DURABLES,
        "commerce": commerce.durables(timedelta()),
        "engagement": (*handlers.welcome_durables(), *handlers.alert_durables()),
        "identity": identity.DURABLES,
    }
    facts, random = numbered(messages), Random(seed)
    for service, own in every.items():
        durables = tuple(one for one in own if one.idempotent)
        assert durables
        async with rooms(service) as room:
            for durable, fact in route(durables, facts):
                await room.take(durable, [fact])
            expected = await tables(room, service)
        async with rooms(service) as room:
            for _ in range(2):
                await live_through(room, durables, facts, random)
                assert await tables(room, service) == expected
            assert await room.rows("select * from inbox") == []


def test_every_projection_of_another_services_facts_is_without_inbox(handlers: Handlers) -> None:
    stateful = {
        type(message) for message in (f.assigned(1, [], 1), f.related(1, "a", [], 1), StaffPlaced(), ContactRead())
    }
    for own in (acquisition.DURABLES, commerce.durables(timedelta()), handlers.welcome_durables()):
        for durable in own:
            if set(durable.types) <= stateful:
                assert durable.idempotent, durable.name
