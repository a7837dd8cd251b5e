"""Kinds of touches are those of the rules, whoever decided first: a replica of the release before, or one that did not
know of a rename yet."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bihuan.acquisition.v1.facts_pb2 import CustomerAcquired
from bihuan.identity.v1.facts_pb2 import StaffRenamed
from bihuan.staff.v1.facts_pb2 import StaffAlerted
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.js import JetStreamContext

from acquisition.app import renames
from acquisition.app.touches import catch_up
from acquisition.consumers import DURABLES, RENAMES
from acquisition.db.channels import ensure_default
from chassis.effects import EffectWorker, OneByOne
from chassis.moments import stamp
from tests import facts as f
from tests.conftest import CORP, Room, examples, received
from tests.integration.test_adds import NOW, Stated

Rooms = Callable[..., Any]
ACQUIRE = DURABLES[0]
RENAMED = StaffRenamed(corp_id=CORP, former_userid="anna", userid="bea", at=stamp(NOW + timedelta(seconds=50)))


def add(userid: str, seconds: int, *, half: bool = False, contact: int = 1) -> Any:
    message = f.added(contact, userid, 0, half=half)
    message.at.CopyFrom(stamp(NOW + timedelta(seconds=seconds)))
    message.arrived_at.CopyFrom(stamp(NOW))
    return message


async def empty(room: Room) -> None:
    await room.pool.execute("truncate touches, contacts_touched, staff_renames, due_rows, inbox")


async def kinds(room: Room) -> dict[object, object]:
    return {row["touch_id"]: row["kind"] for row in await room.rows("select touch_id, kind from touches")}


async def decide_anew(room: Room) -> None:
    """As if every pause were over."""
    await room.pool.execute("update due_rows set due_at = now() where status = 'due'")
    worker = EffectWorker(room.pool, renames.KIND, OneByOne(renames.Renaming(room.outbox).perform), at_once=1)
    while await worker.work():
        await worker.drain()


# -- renames


async def test_an_add_told_under_both_userids_is_one_and_is_told_to_the_present_one(
    rooms: Rooms, jetstream: JetStreamContext
) -> None:
    said = {"half": add("anna", 0, half=True), "whole": add("bea", 100), "renamed": RENAMED}
    async with rooms("acquisition") as room:
        for order in itertools.permutations(said):
            await empty(room)
            room.outbox = stated = Stated(room, jetstream)
            for name in (*order, *order):
                await room.take(RENAMES if name == "renamed" else ACQUIRE, [received(said[name], name)])
            await decide_anew(room)
            assert await kinds(room) == {"half": "NEW", "whole": "CONFIRMED"}, order
            newest = {}
            for fact in stated.said:
                if "CustomerAcquired" in fact.subject:
                    acquired = CustomerAcquired.FromString(fact.payload)
                    newest[acquired.touch_id] = (acquired.version, acquired.kind)
            assert {name: kind for name, (_, kind) in newest.items()} == {"half": 1, "whole": 3}, order
            if order[0] == "renamed":
                alerts = [StaffAlerted.FromString(x.payload) for x in stated.said if "StaffAlerted" in x.subject]
                assert [one.userid for one in alerts] == ["bea"] * len(alerts)


async def test_who_got_the_userid_that_became_free_is_somebody_else(rooms: Rooms) -> None:
    said = [(RENAMES, RENAMED), (ACQUIRE, add("anna", 0, half=True)), (ACQUIRE, add("anna", 100))]
    async with rooms("acquisition") as room:
        for order in itertools.permutations(range(3)):
            await empty(room)
            for number in order:
                durable, message = said[number]
                await room.take(durable, [received(message, str(number))])
            await decide_anew(room)
            assert await kinds(room) == {"1": "NEW", "2": "RETURNING"}, order


async def test_a_rename_that_closes_a_chain_backward_counts(rooms: Rooms) -> None:
    """Identity states anna as cleo at once: adds under anna and bea meet only through cleo."""
    chain = [
        StaffRenamed(corp_id=CORP, former_userid="bea", userid="cleo", at=stamp(NOW + timedelta(seconds=90))),
        StaffRenamed(corp_id=CORP, former_userid="anna", userid="cleo", at=stamp(NOW + timedelta(seconds=50))),
    ]
    async with rooms("acquisition") as room:
        adds = {"half": add("anna", 0, half=True), "whole": add("bea", 80)}
        await room.take(ACQUIRE, [received(message, name) for name, message in adds.items()])
        for number, message in enumerate(chain):
            await room.take(RENAMES, [received(message, str(number))])
            await decide_anew(room)
        assert await kinds(room) == {"half": "NEW", "whole": "CONFIRMED"}


# -- the release before


async def test_a_rename_that_the_release_before_took_is_followed(rooms: Rooms) -> None:
    """It remembers the rename, and that is all."""
    async with rooms("acquisition") as room:
        adds = {"half": add("anna", 0, half=True), "whole": add("bea", 100)}
        await room.take(ACQUIRE, [received(message, name) for name, message in adds.items()])
        await room.pool.execute(
            "insert into staff_renames (corp_id, former_userid, at, userid) values ($1, 'anna', $2, 'bea')",
            CORP,
            RENAMED.at.ToDatetime(NOW.tzinfo),
        )
        assert await renames.catch_up(room.outbox) == 1
        await decide_anew(room)
        assert await kinds(room) == {"half": "NEW", "whole": "CONFIRMED"}
        assert await renames.catch_up(room.outbox) == 0
        await room.take(RENAMES, [received(RENAMED, "renamed")])
        assert await renames.catch_up(room.outbox) == 0


async def as_before(room: Room, touch_id: str, message: Any, kind: str | None) -> None:
    """A row as the release before writes it."""
    async with room.pool.acquire() as connection:
        channel_id = (await ensure_default(connection, [CORP]))[CORP]
    await room.pool.execute(
        """
        insert into contacts_touched (corp_id, contact_id)
        values ($1, $2)
        on conflict do nothing
        """,
        CORP,
        message.contact.id,
    )
    await room.pool.execute(
        """
        insert into touches (
            corp_id, touch_id, contact_id, sealed_contact, userid, channel_id, half, sealed_welcome_code, added_at,
            arrived_at, kind, version
        )
        values ($1, $2, $3, '', $4, $5, $6, '', $7, now(), $8, 1)
        """,
        CORP,
        touch_id,
        message.contact.id,
        message.userid,
        channel_id,
        message.half,
        message.at.ToDatetime(NOW.tzinfo),
        kind,
    )


async def test_what_the_release_before_decided_is_caught_up(rooms: Rooms, jetstream: JetStreamContext) -> None:
    async with rooms("acquisition") as room:
        room.outbox = stated = Stated(room, jetstream)
        await room.take(RENAMES, [received(RENAMED, "renamed")])
        await as_before(room, "half", add("anna", 0, half=True), "NEW")
        await as_before(room, "whole", add("bea", 100), "RETURNING")
        await as_before(room, "never", add("anna", 0, contact=2), None)
        assert await catch_up(room.outbox) == 2
        assert await kinds(room) == {"half": "NEW", "whole": "CONFIRMED", "never": "NEW"}
        said = [CustomerAcquired.FromString(one.payload) for one in stated.said if "CustomerAcquired" in one.subject]
        assert sorted((one.touch_id, one.version) for one in said) == [("never", 2), ("whole", 2)]
        assert await catch_up(room.outbox) == 0
        # It decides again, about all the contact's adds.
        await room.pool.execute("update touches set kind = 'RETURNING', version = version + 1 where touch_id = 'whole'")
        assert await catch_up(room.outbox) == 1
        assert (await kinds(room))["whole"] == "CONFIRMED"


async def has_new(room: Room, contact_id: str) -> bool:
    return bool(await room.rows("select 1 from touches where contact_id = $1 and kind = 'NEW'", contact_id))


@settings(max_examples=examples(10))
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sampled_from(["anna", "bea"]), st.integers(0, 99), st.booleans(), st.booleans()
        ),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.sampled_from(["NEW", "RETURNING", "CONFIRMED", None]), min_size=8, max_size=8),
    st.integers(0, 8),
)
async def test_whichever_of_both_releases_took_an_add_the_kinds_are_the_same(
    rooms: Rooms, adds: list[tuple[int, str, int, bool, bool]], theirs: list[str | None], renamed_after: int
) -> None:
    """The release before decides anything about the adds that it takes, but that two of one contact are NEW: it locks
    the contact and looks at all its adds."""
    messages = {
        f"t{n}": add(userid, seconds, half=half, contact=contact)
        for n, (contact, userid, seconds, half, _) in enumerate(adds)
    }
    async with rooms("acquisition") as room:
        await room.take(RENAMES, [received(RENAMED, "renamed")])
        await room.take(ACQUIRE, [received(message, name) for name, message in messages.items()])
        expected = await kinds(room)
        await empty(room)
        for number, (name, message) in enumerate(messages.items()):
            if number == renamed_after:
                await room.take(RENAMES, [received(RENAMED, "renamed")])
            if adds[number][-1]:
                is_new = theirs[number] == "NEW" and await has_new(room, message.contact.id)
                await as_before(room, name, message, "RETURNING" if is_new else theirs[number])
            else:
                await room.take(ACQUIRE, [received(message, name)])
        await room.take(RENAMES, [received(RENAMED, "renamed")])
        while await catch_up(room.outbox):
            pass
        await decide_anew(room)
        assert await kinds(room) == expected
