"""Evidence, separations and policies, through their servicers: who is one person is decided anew, and stated."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from bihuan.identity.v1 import identifier_policy_service_pb2 as policy_pb
from bihuan.identity.v1 import link_service_pb2 as pb
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.effects import EffectWorker, OneByOne
from chassis.errors import AlreadyExists, Invalid, NotFound, Precondition
from chassis.idempotency import IdempotentRequests
from chassis.kernel import caller
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from identity import consumers as identity
from identity.app.links import Links
from identity.app.policies import APPLIED, Applying, IdentifierPolicies
from identity.rpc.links import LinkServicer
from identity.rpc.policies import IdentifierPolicyServicer
from tests import facts as f
from tests.conftest import CORP, Room, received
from tests.integration.test_any_order import numbered, who_is_who
from tests.marking import corps
from tests.unit.identity import referee

Rooms = Callable[..., Any]
BUYERS = next(one for one in identity.DURABLES if one.name == "identity-link-on-buyer-identified")
SHOP, UNION, PHONE, CONTACT = ("yz_open_id", 1), ("unionid", 1), ("phone", 1), ("external_userid", 1)


class Doors:
    def __init__(self, room: Room, sealer: Sealer, identifiers: Identifiers) -> None:
        caller.enter({"bihuan-corp": CORP, "bihuan-userid": "admin", "bihuan-role": "ADMIN"})
        self.room = room
        self.links = LinkServicer(Links(room.outbox), IdempotentRequests(room.outbox, sealer, identifiers))
        self.policies = IdentifierPolicyServicer(IdentifierPolicies(room.outbox, identifiers, corps()))

    async def people(self) -> list[list[str]]:
        people: list[list[str]] = (await who_is_who(self.room))[0]
        return people

    async def part(self, one: tuple[str, object], other: tuple[str, object]) -> pb.Separation:
        request = pb.CreateSeparationRequest(one=f.uid(*one), other=f.uid(*other), note="two brothers")
        return (await self.links.CreateSeparation(request, None)).separation

    async def apply(self) -> None:
        worker = EffectWorker(self.room.pool, APPLIED, OneByOne(Applying(self.room.outbox).perform), at_once=1)
        await worker.work()
        await worker.drain()


def ids(*names: tuple[str, object]) -> list[str]:
    return sorted(f.uid(*name) for name in names)


# -- evidence


async def test_what_is_said_again_changes_and_states_nothing(rooms: Rooms) -> None:
    """Also after the inbox has forgotten it."""
    orders = next(one for one in identity.DURABLES if one.name == "identity-name-buyer-on-order")
    linked = numbered([f.linked([SHOP, UNION], 5), f.linked([CONTACT, UNION, PHONE], 6), f.linked([SHOP, UNION], 2)])
    paid = numbered([f.paid("o1", 1, 100, 3, ordered=3), f.paid("o2", 2, 100, 4, ordered=4)])
    tables = ("identifiers", "edges", "edge_evidence", "customers", "outbox_batches")
    async with rooms("identity") as room:

        async def written() -> Any:
            # Which transaction wrote each row last.
            return [await room.rows(f"select xmin, t.* from {table} t order by 2, 3, 4") for table in tables]

        await room.take(BUYERS, linked)
        await room.take(orders, paid)
        await room.outbox.drain()
        before = await written()
        assert all(before[:-1])
        await room.pool.execute("truncate inbox")
        for fact in linked:
            await room.take(BUYERS, [fact])
        await room.take(BUYERS, linked)
        await room.take(orders, [*paid, *paid])
        await room.outbox.drain()
        assert await written() == before


async def test_a_sources_earliest_word_is_its_evidence_in_any_order(rooms: Rooms) -> None:
    """Also where another source said so before, and where two facts say so at the same time."""
    orders = next(one for one in identity.DURABLES if one.name == "identity-name-buyer-on-order")
    paid = f.paid("o", 1, 100, 1, ordered=1)
    paid.detail.buyer.append(f.identifier(*UNION))
    first, later, same = (f.linked([SHOP, UNION], second) for second in (5, 9, 5))
    work = [(orders, "0", paid), (BUYERS, "1", first), (BUYERS, "2", later), (BUYERS, "3", same)]
    found = []
    for order in itertools.permutations(work):
        async with rooms("identity") as room:
            for durable, fact_id, message in order:
                await room.take(durable, [received(message, fact_id)])
            found.append(await room.rows("select source, fact_id, at from edge_evidence order by 1"))
    expected = [
        {"source": "mall", "fact_id": "0", "at": f.at(1)},
        {"source": "mall-buyer", "fact_id": "1", "at": f.at(5)},
    ]
    assert all(rows == expected for rows in found)


# -- separations


async def test_two_who_are_declared_apart_part_and_stay_apart(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        await room.take(BUYERS, numbered([f.linked([CONTACT, PHONE], 1), f.linked([SHOP, PHONE], 2)]))
        assert await doors.people() == [ids(CONTACT, PHONE, SHOP)]
        separation = await doors.part(CONTACT, SHOP)
        assert (separation.declared_by, separation.note) == ("admin", "two brothers")
        parted = sorted([ids(CONTACT, PHONE), ids(SHOP)])
        assert await doors.people() == parted
        await room.take(BUYERS, [received(f.linked([SHOP, CONTACT], 0), "again")])
        apart = await doors.people()
        assert all(not set(ids(CONTACT, SHOP)) <= set(one) for one in apart)
        with pytest.raises(AlreadyExists):
            await doors.part(SHOP, CONTACT)

        undone = await doors.links.UndoSeparation(
            pb.UndoSeparationRequest(separation_id=separation.separation_id), None
        )
        assert undone.separation.undone_by == "admin"
        assert await doors.people() == [ids(CONTACT, PHONE, SHOP)]
        listed = await doors.links.ListSeparations(pb.ListSeparationsRequest(), None)
        assert [one.separation_id for one in listed.separations] == [separation.separation_id]


async def test_customers_are_parted_by_their_strongest_identifiers(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        await room.take(BUYERS, numbered([f.linked([CONTACT, PHONE], 1), f.linked([SHOP, UNION], 2)]))
        customers = {
            row["identifier_id"]: row["customer_id"]
            for row in await room.rows("select identifier_id, customer_id from identifiers")
        }
        one, other = customers[f.uid(*PHONE)], customers[f.uid(*SHOP)]
        request = pb.CreateSeparationRequest(one=str(one), other=str(other), note="n")
        separation = (await doors.links.CreateSeparation(request, None)).separation
        assert sorted([separation.identifier_id, separation.other_identifier_id]) == ids(CONTACT, UNION)
        with pytest.raises(Invalid) as refusal:
            await doors.links.CreateSeparation(pb.CreateSeparationRequest(one=str(one), other=str(one), note="n"), None)
        assert refusal.value.field == "other"
        with pytest.raises(NotFound) as unknown:
            await doors.part(CONTACT, ("phone", "nobody's"))
        assert unknown.value.field == "other"


names = st.sampled_from([("yz_open_id", 1), ("yz_open_id", 2), ("unionid", 1), ("unionid", 2), ("phone", 1), CONTACT])
links = st.lists(
    st.tuples(st.lists(names, min_size=2, max_size=3, unique=True), st.integers(0, 9)), min_size=1, max_size=8
)
pairs = st.lists(st.lists(names, min_size=2, max_size=2, unique=True), max_size=2)


@settings(max_examples=15)
@given(links, pairs, st.integers(0, 8))
async def test_declared_before_or_after_the_result_is_the_referees(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, said: list[Any], apart: list[Any], first: int
) -> None:
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        facts = numbered([f.linked(names, seconds) for names, seconds in said])
        known = [one for pair in apart for one in pair]
        await room.take(BUYERS, [received(f.linked([one], 0), f"known{n}") for n, one in enumerate(known)])
        await room.take(BUYERS, facts[:first])
        declared = []
        for one, other in apart:
            if sorted([one, other]) not in declared:
                await doors.part(one, other)
                declared.append(sorted([one, other]))
        await room.take(BUYERS, facts[first:])
        found = await doors.people()
    kinds = {f.uid(*name): str(name[0]) for names, _ in said for name in names}
    kinds |= {f.uid(*name): str(name[0]) for pair in declared for name in pair}
    worded = [(f.at(seconds), f.uid(*names[0]), f.uid(*other)) for names, seconds in said for other in names[1:]]
    ruling = referee.rule(kinds, worded, [[f.uid(*name) for name in pair] for pair in declared])
    assert found == ruling.people


# -- evidence


async def revoke(doors: Doors, one: Any, other: Any, source: str) -> pb.Evidence:
    request = pb.RevokeEvidenceRequest(identifier_id=f.uid(*one), other_identifier_id=f.uid(*other), source=source)
    return (await doors.links.RevokeEvidence(request, None)).evidence


async def test_an_edge_is_there_while_one_piece_of_evidence_is(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    orders = next(one for one in identity.DURABLES if one.name == "identity-name-buyer-on-order")
    order = f.created("o1", 1, 100, 5)
    order.detail.buyer.append(f.identifier(*PHONE))
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        await room.take(BUYERS, [received(f.linked([SHOP, PHONE], 1), "b1")])
        await room.take(orders, [received(order, "o1")])
        await revoke(doors, SHOP, PHONE, "mall-buyer")
        assert await doors.people() == [ids(SHOP, PHONE)]
        revoked = await revoke(doors, PHONE, SHOP, "mall")
        assert (revoked.fact_id, revoked.revoked_by) == ("o1", "admin")
        assert await doors.people() == sorted([ids(SHOP), ids(PHONE)])
        # Its source repeats it, and even from before: it counts no more.
        await room.take(BUYERS, [received(f.linked([SHOP, PHONE], 0), "b2")])
        assert await doors.people() == sorted([ids(SHOP), ids(PHONE)])
        customer = (await room.rows("select customer_id from identifiers where identifier_id = $1", f.uid(*SHOP)))[0]
        listed = await doors.links.ListEvidence(pb.ListEvidenceRequest(customer_id=str(customer["customer_id"])), None)
        assert {(one.source, one.fact_id, one.revoked_by) for one in listed.evidence} == {
            ("mall", "o1", "admin"),
            ("mall-buyer", "b2", "admin"),
        }
        request = pb.RestoreEvidenceRequest(
            identifier_id=f.uid(*SHOP), other_identifier_id=f.uid(*PHONE), source="mall"
        )
        await doors.links.RestoreEvidence(request, None)
        assert await doors.people() == [ids(SHOP, PHONE)]
        with pytest.raises(NotFound):
            await revoke(doors, SHOP, UNION, "mall")


async def test_what_the_release_before_wrote_is_evidence(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        await room.take(BUYERS, [received(f.linked([SHOP, PHONE], 1), "b1")])
        await room.pool.execute("truncate edge_evidence")
        await room.take(BUYERS, [received(f.linked([SHOP, PHONE], 3), "b2")])
        assert await doors.people() == [ids(SHOP, PHONE)]
        await revoke(doors, SHOP, PHONE, "mall-buyer")
        assert await doors.people() == sorted([ids(SHOP), ids(PHONE)])


# -- policies


def setting(**changes: Any) -> policy_pb.SetIdentifierPolicyRequest:
    usual = {"kind": "yz_open_id", "priority": 3, "most_per_customer": 5, "most_customers": 1}
    return policy_pb.SetIdentifierPolicyRequest(**{**usual, **changes})


async def test_a_policy_that_would_split_people_is_tried_first(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        await room.take(BUYERS, numbered([f.linked([("yz_open_id", n), UNION], n) for n in range(4)]))
        one = await doors.people()
        assert len(one) == 1
        stricter = setting(most_per_customer=2)
        with pytest.raises(Precondition) as refusal:
            await doors.policies.SetIdentifierPolicy(stricter, None)
        assert (refusal.value.reason, refusal.value.field) == ("POLICY_WOULD_SPLIT", "confirm")
        dry = await doors.policies.SetIdentifierPolicy(setting(most_per_customer=2, dry_run=True), None)
        assert (dry.effect.split, dry.effect.merged) == (1, 0)
        assert dry.confirmation == refusal.value.expected
        await doors.apply()
        assert await doors.people() == one
        with pytest.raises(Precondition):  # the confirmation of something else
            await doors.policies.SetIdentifierPolicy(setting(most_per_customer=1, confirm=dry.confirmation), None)

        stricter.confirm = dry.confirmation
        answer = await doors.policies.SetIdentifierPolicy(stricter, None)
        assert (answer.policy.own, answer.policy.most_per_customer, answer.policy.set_by) == (True, 2, "admin")
        await doors.apply()
        assert sorted(len(person) for person in await doors.people()) == [1, 1, 3]
        # The next fact is judged by it too.
        await room.take(BUYERS, [received(f.linked([("yz_open_id", 9), UNION], 9), "late")])
        assert sorted(len(person) for person in await doors.people()) == [1, 1, 1, 3]


async def test_a_denied_value_names_nobody(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    hotline = identifiers.name(CORP, "phone", "13912345678")
    assert hotline is not None
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        linked = f.linked([SHOP, PHONE], 1)
        linked.identifiers[1].id = hotline.id
        await room.take(BUYERS, [received(linked, "1")])
        denying = setting(
            kind="phone", priority=5, most_per_customer=3, most_customers=3, denied_values=["+86 139 1234 5678"]
        )
        denying.dry_run = True
        dry = await doors.policies.SetIdentifierPolicy(denying, None)
        assert dry.effect.quarantined == 1
        denying.dry_run, denying.confirm = False, dry.confirmation
        await doors.policies.SetIdentifierPolicy(denying, None)
        await doors.apply()
        assert (await who_is_who(room))[1] == [hotline.id]
        listed = await doors.policies.ListIdentifierPolicies(policy_pb.ListIdentifierPoliciesRequest(), None)
        assert {one.kind: one.denied for one in listed.policies}["phone"] == 1
        # Nobody can read the denied values to send them again with a change of something else.
        keeping = setting(kind="phone", priority=6, most_per_customer=3, most_customers=3, keep_denied=True)
        kept = await doors.policies.SetIdentifierPolicy(keeping, None)
        assert (kept.policy.priority, kept.policy.denied) == (6, 1)
        assert (await who_is_who(room))[1] == [hotline.id]
        keeping.denied_values.append("13912345678")
        with pytest.raises(Invalid) as refusal:
            await doors.policies.SetIdentifierPolicy(keeping, None)
        assert refusal.value.field == "deniedValues"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"priority": 0}, "priority"),
        ({"most_per_customer": 101}, "mostPerCustomer"),
        ({"most_customers": 21}, "mostCustomers"),
        ({"kind": "Phone!"}, "kind"),
        ({"kind": "phone", "denied_values": ["null"]}, "deniedValues[0]"),
    ],
)
async def test_a_policy_that_can_be_no_policy_is_refused_by_name(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, changes: dict[str, Any], field: str
) -> None:
    async with rooms("identity") as room:
        doors = Doors(room, sealer, identifiers)
        with pytest.raises(Invalid) as refusal:
            await doors.policies.SetIdentifierPolicy(setting(**changes), None)
        assert refusal.value.field == field
        assert not await room.rows("select from identifier_policies")
