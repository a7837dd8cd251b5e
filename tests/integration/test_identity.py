"""Identity through its own durables and readings: who is one person, whatever came first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bihuan.commerce.v1.facts_pb2 import BuyerIdentified
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chassis.effects import EffectWorker, OneByOne
from chassis.errors import Invalid
from chassis.kernel.corps import Corps, Mall
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from identity import consumers as identity
from identity.app import contacts
from identity.app.contacts import ContactReads
from identity.app.customers import JUDGED, Judging
from tests import facts as f
from tests.conftest import CORP, Room, examples, received
from tests.integration.test_any_order import numbered, same_whatever_the_order, who_is_who
from tests.marking import corps

Rooms = Callable[..., Any]


class OneUnionid:
    """externalcontact/get: all contacts have the same unionid."""

    async def read(self, corp_id: str, external_userid: str) -> dict[str, Any]:
        follow = {"userid": "anna", "createtime": int(f.MORNING.timestamp())}
        return {"external_contact": {"name": external_userid, "unionid": "union"}, "follow_user": [follow]}


def reading(book: Any, sealer: Sealer, identifiers: Identifiers) -> Callable[[Room], Any]:
    """Performs the readings that are due."""

    async def read(room: Room) -> None:
        worker = EffectWorker(
            room.pool, contacts.KIND, ContactReads(room.outbox, book, sealer, identifiers), at_once=20
        )
        while await worker.work():
            await worker.drain()

    return read


SEEN = st.integers(0, 9)
SHARED = st.one_of(
    st.builds(f.added, st.integers(0, 2), st.sampled_from(["anna", "bob"]), SEEN),
    st.builds(f.ended, st.integers(0, 2), st.sampled_from(["anna", "bob"]), SEEN, by_customer=st.booleans()),
    st.builds(f.edited, st.integers(0, 2), st.just("anna"), SEEN),
)


@settings(max_examples=examples(15))
@given(st.lists(SHARED, min_size=2, max_size=8), st.integers())
@example([f.ended(0, "anna", 1, by_customer=False), f.added(0, "anna", 8), f.added(1, "anna", 5)], 1)
@example([f.ended(0, "anna", 1, by_customer=False), f.added(0, "anna", 8), f.added(1, "anna", 5)], 2)
async def test_who_has_the_unionid_is_a_function_of_the_adds(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, messages: list[Any], seed: int
) -> None:
    async def sealed_openly(room: Room) -> None:
        """The tests' contacts are sealed as `sealed`; readings open them."""
        for contact in range(3):
            await room.pool.execute(
                "update identifiers set sealed = $2 where identifier_id = $1",
                f.uid("external_userid", contact),
                sealer.seal(CORP, f"wm{contact}"),
            )
        await read(room)

    read = reading(OneUnionid(), sealer, identifiers)
    await same_whatever_the_order(
        rooms, "identity", (identity.CONTACTS,), numbered(messages), seed, who_is_who, sealed_openly
    )


async def test_a_late_deletion_takes_no_unionid_away(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    """Two contacts share a unionid; the one that was added first has it, whenever its older deletion is heard of."""
    adds = [f.added(0, "anna", 8), f.added(1, "anna", 5)]
    deletion = f.ended(0, "anna", 1, by_customer=False)
    read = reading(OneUnionid(), sealer, identifiers)
    found = []
    for messages in ([deletion, *adds], [*adds, deletion]):
        async with rooms("identity") as room:
            for fact in numbered(messages):
                fact.message.contact.sealed = sealer.seal(CORP, "wm")
                await room.take(identity.CONTACTS, [fact])
                await read(room)
            found.append(await room.rows("select from_id, to_id from conflicts"))
    assert found[0] == found[1]
    refused = {str(value) for row in found[0] for value in row.values()}
    assert f.uid("external_userid", 0) in refused


async def test_what_was_a_crowd_by_links_is_judged_by_persons(rooms: Rooms) -> None:
    """A value that the release before quarantined is judged anew; nobody else has to speak of it."""
    durable = next(one for one in identity.DURABLES if one.name == "identity-link-on-buyer-identified")
    async with rooms("identity") as room:
        four = [f.linked([("yz_open_id", n), ("phone", 1)], n) for n in range(4)]
        await room.take(durable, numbered(four))
        people, quarantined, *_ = await who_is_who(room)
        assert (len(people), quarantined) == (1, [])
        # As the release before left it.
        phone = f.uid("phone", 1)
        await room.pool.execute(
            "update identifiers set customer_id = null, quarantined = true where identifier_id = $1", phone
        )
        await room.pool.execute(
            "insert into due_rows (corp_id, kind, key, due_at) values ($1, $2, $3, now())", CORP, JUDGED, phone
        )
        worker = EffectWorker(room.pool, JUDGED, OneByOne(Judging(room.outbox).perform), at_once=4)
        await worker.work()
        await worker.drain()
        assert (await who_is_who(room))[:2] == (people, [])


async def test_a_customer_is_as_old_as_the_first_that_was_heard_of_them(rooms: Rooms) -> None:
    durable = next(one for one in identity.DURABLES if one.name == "identity-link-on-buyer-identified")
    contact, shop = ("external_userid", 1), ("yz_open_id", 1)
    async with rooms("identity") as room:
        await room.take(identity.CONTACTS, [received(f.added(1, "anna", 30), "1")])
        assert [row["created_at"] for row in await room.rows("select created_at from customers")] == [f.at(30)]
        await room.take(durable, [received(f.linked([contact, shop], 20), "2")])
        await room.take(identity.CONTACTS, [received(f.edited(1, "anna", 10), "3")])
        assert [row["created_at"] for row in await room.rows("select created_at from customers")] == [f.at(10)]


async def test_a_scope_that_is_not_configured_changes_nothing(rooms: Rooms) -> None:
    durable = next(one for one in identity.durables(corps()) if BuyerIdentified in one.types)
    foreign = f.linked([("yz_open_id", 1), ("unionid", 1)], 1)
    foreign.identifiers[1].scope = "another-subject"
    async with rooms("identity") as room:
        with pytest.raises(Invalid) as refusal:
            await room.take(durable, [received(foreign, "1")])
        assert (refusal.value.reason, refusal.value.field) == ("SCOPE_UNKNOWN", "identifiers[1].scope")
        assert "identifiers[1].scope" in repr(refusal.value), "its dead letter does not name the field"
        assert not await room.rows("select from identifiers")
        assert not await room.rows("select from inbox")
        # The usual scope is always known.
        await room.take(durable, [received(f.linked([("yz_open_id", 1), ("unionid", 1)], 1), "2")])
        assert len(await room.rows("select from identifiers")) == 2


async def test_a_scope_is_kept_with_its_identifier(rooms: Rooms) -> None:
    mall = Mall(
        id="outlet",
        platform="youzan",
        api_base="http://x",
        unionid_scope="outlet",
        kdt_id="1",
        client_id="c",
        client_secret="s",
    )
    corp = corps().get(CORP).model_copy(update={"mall": (mall,)})
    durable = next(one for one in identity.durables(Corps((corp,))) if BuyerIdentified in one.types)
    linked = f.linked([("yz_open_id", 1), ("unionid", 1)], 1)
    linked.identifiers[1].scope = "outlet"
    async with rooms("identity") as room:
        await room.take(durable, [received(linked, "1")])
        rows = await room.rows("select kind, scope from identifiers order by kind")
        assert [(row["kind"], row["scope"]) for row in rows] == [("unionid", "outlet"), ("yz_open_id", "")]
