"""Follow relations through identity's own durables: renamed employees, lost friends, what a reading adds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bihuan.identity.v1.facts_pb2 import ContactRead, RelationChanged, RelationEnd, StaffPlaced, StaffRenamed
from bihuan.staff.v1.facts_pb2 import StaffAlerted
from google.protobuf.message import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chassis.effects import EffectWorker, OneByOne
from chassis.facts import Fact, type_of
from chassis.kernel.identifiers import Identifiers
from chassis.moments import stamp
from chassis.sealing import Sealer
from identity import consumers as identity
from identity.app.contacts import KIND, ContactReads
from identity.app.renames import MOVE, Moving
from tests import facts as f
from tests.conftest import CORP, Room, examples, received
from tests.integration.test_any_order import numbered, same_whatever_the_order
from tests.integration.test_recorded_edge import Recorded

Rooms = Callable[..., Any]


def recording(room: Room) -> list[Fact]:
    """What the room states from now on."""
    stated: list[Fact] = []
    room.outbox = Recorded(room, "identity", stated)
    return stated


def of_type(stated: list[Fact], kind: type[Message]) -> list[Any]:
    return [kind.FromString(fact.payload) for fact in stated if fact.headers["ce-type"] == type_of(kind)]


async def move(room: Room) -> None:
    worker = EffectWorker(room.pool, MOVE, OneByOne(Moving(room.outbox).perform), at_once=4)
    while await worker.work():
        await worker.drain()


# -- renamed employees


async def who_follows_whom(room: Room) -> Any:
    relations = await room.rows(
        "select contact_id, userid, alive, added_at, ended_at from relations where added_at is not null order by 1, 2"
    )
    events = await room.rows("select fact_id, userid from follow_events order by 1")
    return relations, events


seconds = st.integers(0, 9)
members = st.sampled_from(["anna", "anne", "bob"])
follows = st.one_of(
    st.builds(f.added, st.integers(0, 1), members, seconds),
    st.builds(f.ended, st.integers(0, 1), members, seconds, by_customer=st.booleans()),
    st.builds(
        lambda pair, at: f.renamed(*pair, at), st.permutations(["anna", "anne", "bob"]).map(lambda p: p[:2]), seconds
    ),
)


@settings(max_examples=examples(20))
@given(st.lists(follows, min_size=2, max_size=10), st.integers())
@example([f.added(0, "anna", 1), f.renamed("anna", "anne", 2), f.renamed("anne", "bob", 3), f.added(1, "anna", 5)], 1)
async def test_a_renamed_employee_keeps_their_customers(rooms: Rooms, messages: list[Any], seed: int) -> None:
    durables = (identity.CONTACTS, identity.RENAMES)
    await same_whatever_the_order(rooms, "identity", durables, numbered(messages), seed, who_follows_whom, move)


async def test_a_chain_of_renames_ends_at_the_present_userid(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        stated = recording(room)
        await room.take(identity.CONTACTS, [received(f.added(0, "anna", 1), "1")])
        await room.take(identity.RENAMES, [received(f.renamed("anne", "bob", 3), "2")])
        await room.take(identity.RENAMES, [received(f.renamed("anna", "anne", 2), "3")])
        await move(room)
        await room.take(identity.CONTACTS, [received(f.ended(0, "anna", 2, by_customer=False), "4")])
        await room.take(identity.CONTACTS, [received(f.added(0, "anna", 4), "5")])  # somebody else by now
        relations, _ = await who_follows_whom(room)
        assert [(row["userid"], row["alive"]) for row in relations] == [("anna", True), ("bob", False)]
    newest = {one.userid: one for one in sorted(of_type(stated, RelationChanged), key=lambda one: one.version)}
    assert [span.ended_at.seconds > 0 for span in newest["bob"].spans] == [True]
    assert ("anna", "bob") in {(one.former_userid, one.userid) for one in of_type(stated, StaffRenamed)}
    left = [one.spans for one in of_type(stated, RelationChanged) if one.userid == "anna"]
    assert [] in [list(spans) for spans in left], "the pair under the former userid was not stated without spans"


async def a_member(room: Room, userid: str, *, role: str = "") -> None:
    await room.pool.execute(
        "insert into staff (corp_id, userid, sealed_name, fingerprint, department_ids, active, version, read_at,"
        " known_since) values ($1, $2, 'n', 'f', '{1}', true, 1, $3, $3)",
        CORP,
        userid,
        f.at(-100),
    )
    if role:
        await room.pool.execute("insert into roles (corp_id, userid, role) values ($1, $2, $3)", CORP, userid, role)


async def test_role_and_place_are_the_renamed_members(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        stated = recording(room)
        await a_member(room, "anna", role="ADMIN")
        await room.take(identity.RENAMES, [received(f.renamed("anna", "anne", 2), "1")])
        roles = await room.rows("select userid, role from roles order by 1")
        assert [(row["userid"], row["role"]) for row in roles] == [("anna", "FRONTLINE"), ("anne", "ADMIN")]
    placed = {one.userid: one.active for one in of_type(stated, StaffPlaced)}
    assert placed == {"anna": False, "anne": True}


async def test_a_rename_to_anothers_userid_changes_nothing(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        stated = recording(room)
        await a_member(room, "anna", role="ADMIN")
        await a_member(room, "bob")
        await room.take(identity.CONTACTS, [received(f.added(0, "anna", 1), "1")])
        before = await who_follows_whom(room)
        del stated[:]
        for app in ("2", "3"):  # each app is told
            await room.take(identity.RENAMES, [received(f.renamed("anna", "bob", 2), app)])
        await move(room)
        assert await who_follows_whom(room) == before
        letters = await room.rows("select fact_id, reason, detail from dead_letters where replayed_at is null")
        assert [(row["fact_id"], row["reason"]) for row in letters] == [("2", "USERID_TAKEN")]
        assert "NewUserID" in str(letters[0]["detail"])
        assert not stated
        # It had become free before: the news of that came late.
        await room.take(identity.RENAMES, [received(f.renamed("bob", "carl", 1), "4")])
        await move(room)
        relations, _ = await who_follows_whom(room)
        assert [row["userid"] for row in relations] == ["bob"]
        ended = await room.rows("select fact_id, outcome from dead_letters where replayed_at is not null")
        assert ended == [{"fact_id": "2", "outcome": "RESOLVED"}]


# -- lost friends


def lost_alerts(stated: list[Fact]) -> list[Any]:
    return of_type(stated, StaffAlerted)


def now_arrived(message: Any) -> Any:
    message.arrived_at.CopyFrom(stamp(datetime.now(UTC)))
    return message


async def test_an_employee_is_told_once_whom_they_lost(rooms: Rooms) -> None:
    add, end = f.added(0, "anna", 1), f.ended(0, "anna", 5, by_customer=True)
    for order in ([add, end], [end, add]):
        async with rooms("identity") as room:
            stated = recording(room)
            facts = [received(now_arrived(message), message.DESCRIPTOR.name) for message in order]
            for fact in [*facts, *facts]:
                await room.take(identity.CONTACTS, [fact])
            await room.pool.execute("truncate inbox")
            await room.take(identity.CONTACTS, facts)
            (alert,) = lost_alerts(stated)
            assert alert.userid == "anna"
            assert alert.contact_id == f.uid("external_userid", 0)
            assert alert.friend_lost.added_at == add.at
            assert alert.at == end.at


async def test_nobody_is_told_of_a_replay_or_of_their_own_deletion(rooms: Rooms) -> None:
    async with rooms("identity") as room:
        stated = recording(room)
        old = [f.added(0, "anna", 1), f.ended(0, "anna", 5, by_customer=True)]
        own = [now_arrived(f.added(1, "anna", 1)), now_arrived(f.ended(1, "anna", 5, by_customer=False))]
        never = [now_arrived(f.ended(2, "anna", 5, by_customer=True))]
        for fact in numbered([*old, *own, *never]):
            await room.take(identity.CONTACTS, [fact])
        assert not lost_alerts(stated)


# -- what a reading adds


class Book:
    """externalcontact/get: one follower, who came in the given way, and who has noted a few things."""

    def __init__(self, add_way: int, state: str = "") -> None:
        self._add_way, self._state = add_way, state

    async def read(self, corp_id: str, external_userid: str) -> dict[str, Any]:
        contact = {"name": "王", "type": 2, "gender": 1, "avatar": "http://a", "corp_name": "公司", "position": "店长"}
        follow = {
            "userid": "Anna",
            "createtime": int(f.at(3).timestamp()),
            "remark": "王总",
            "description": "d",
            "remark_mobiles": ["13912345678", "null"],
            "tags": [{"tag_name": "vip", "group_name": "g", "type": 2}],
            "add_way": self._add_way,
            "state": self._state,
        }
        return {"external_contact": contact, "follow_user": [follow]}


async def read_after(
    room: Room, add: Any, book: Book, sealer: Sealer, identifiers: Identifiers, times: int = 1
) -> list[Fact]:
    stated = recording(room)
    add.contact.sealed = sealer.seal(CORP, "wm0")
    await room.take(identity.CONTACTS, [received(add, "1")])
    worker = EffectWorker(room.pool, KIND, ContactReads(room.outbox, book, sealer, identifiers), at_once=5)
    for time in range(times):
        if time:
            await room.take(identity.CONTACTS, [received(f.edited(0, "anna", 9), f"e{time}")])
        await worker.work()
        await worker.drain()
    return stated


async def test_a_reading_restates_a_relation_once_when_it_adds_something(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("identity") as room:
        stated = await read_after(room, f.added(0, "anna", 1), Book(202, "late"), sealer, identifiers, times=2)
        before, after = of_type(stated, RelationChanged)
        assert after.version > before.version
        (span,) = after.spans
        assert (span.add_way, span.state, span.by_transfer) == (202, "late", True)
        assert span.end == RelationEnd.RELATION_END_UNSPECIFIED


async def test_a_scanned_code_needs_no_second_statement(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("identity") as room:
        stated = await read_after(room, f.added(0, "anna", 1, state="code"), Book(1, "code"), sealer, identifiers)
        (only,) = of_type(stated, RelationChanged)
        assert (only.spans[0].add_way, only.spans[0].state) == (1, "code")


async def test_a_reading_says_all_that_wecom_said_and_links_no_remark(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("identity") as room:
        stated = await read_after(room, f.added(0, "anna", 1), Book(1), sealer, identifiers)
        (fact,) = of_type(stated, ContactRead)
        assert await room.rows("select kind from identifiers") == [{"kind": "external_userid"}]
    opened = [sealer.open(CORP, one) for one in (fact.sealed_avatar_url, fact.sealed_corp_name, fact.sealed_position)]
    assert opened == ["http://a", "公司", "店长"]
    assert (fact.type, fact.gender, fact.HasField("unionid")) == (2, 1, False)
    (follow,) = fact.follows
    assert follow.userid == "anna"
    assert follow.added_at == stamp(f.at(3))
    assert sealer.open(CORP, follow.sealed_remark) == "王总"
    assert [mobile.id for mobile in follow.remark_mobiles] == [identifiers.id_of(CORP, "phone", "+8613912345678")]
    assert [(tag.tag_id, tag.name, tag.type) for tag in follow.tags] == [("", "vip", 2)]
    assert timedelta(0) < datetime.now(UTC) - datetime.fromtimestamp(fact.version / 1e6, UTC) < timedelta(minutes=5)
