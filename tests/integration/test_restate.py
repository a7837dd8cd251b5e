"""What a service lost comes back: stated anew by its owner, or taken again from the streams. All four services at work
on real servers; who had everything sees no difference, and nothing happens outside a second time."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from nats.js import JetStreamContext

from acquisition import consumers as acquisition
from acquisition import restate as acquisition_restate
from chassis import publishing, rewind
from chassis.consumer import Consumer, Durable
from chassis.facts import new_fact
from chassis.kernel.streams import STREAMS
from chassis.outbox import Outbox
from chassis.pool import open_pool
from chassis.restate import restate
from chassis.sealing import Sealer
from commerce import consumers as commerce
from commerce import restate as commerce_restate
from engagement.consumers import Handlers
from identity import consumers as identity
from identity import restate as identity_restate
from tests import facts as f
from tests.conftest import CORP, Room, Servers
from tests.marking import attribution_queue, work_off
from tests.waiting import until

Rooms = Callable[[str], Any]

# What commerce keeps of others' facts, and what follows from it. Versions of assignments are given anew.
PROJECTIONS = (
    "select corp_id, identifier_id, customer_id from customer_identifiers order by 1, 2",
    "select * from relations order by 1, 2, 3",
    "select * from relation_spans order by 1, 2, 3, 4",
    "select * from touches order by 1, 2",
    "select * from staff_places order by 1, 2",
)
FOLLOWS = (
    """
    select corp_id, mall_id, order_id, userid, contact_id, channel_id, paid_fen, refunded_fen
    from attributions
    order by 1, 2, 3
    """,
    "select * from alerts_raised order by 1, 2",
)
# What acts outside, or would.
EFFECTS = (
    "select welcome_id, status, sent_at from welcomes order by 1",
    "select kind, key, generation from due_rows order by 1, 2",
    "select alert_id, status from alerts order by 1",
)


class House:
    """All services' durables in one process; commerce's database can be exchanged."""

    def __init__(self, js: JetStreamContext, rooms: dict[str, Room], durables: dict[str, Sequence[Durable]]) -> None:
        self.js, self.rooms, self._durables = js, rooms, durables
        # The streams' window still knows the ids of the test before.
        self._name = uuid.uuid4().hex

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        consumers = [
            Consumer(one, self.js, self.rooms[service].outbox, replicas=1, after=lambda: None)
            for service, own in self._durables.items()
            for one in own
        ]
        tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
        await until(lambda: all(consumer._pull is not None for consumer in consumers))
        try:
            yield
        finally:
            for consumer in consumers:
                await consumer.stop()
            await asyncio.wait(tasks, timeout=10)

    async def rests(self) -> None:
        """Until nothing is on its way any more."""
        attribution = attribution_queue(self.rooms["commerce"].outbox)
        quiet = 0
        while quiet < 2:
            await work_off(attribution)
            busy = 0
            for room in self.rooms.values():
                await room.outbox.drain()
            for own in self._durables.values():
                for one in own:
                    info = await self.js.consumer_info(one.stream, one.name)
                    busy += info.num_pending + info.num_ack_pending
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0.05)

    async def say(self, messages: Iterable[Any], first: int) -> None:
        for number, message in enumerate(messages, first):
            fact = new_fact(message, corp_id=CORP, source="tests", fact_id=f"{self._name}-{number}")
            await publishing.publish(self.js, fact, timeout=5)

    async def shows(self, service: str, queries: Iterable[str]) -> list[Any]:
        return [await self.rooms[service].rows(query) for query in queries]


@pytest.fixture
async def house(rooms: Rooms, jetstream: JetStreamContext, handlers: Handlers) -> AsyncIterator[House]:
    for stream in STREAMS:
        await jetstream.purge_stream(stream)
    durables: dict[str, Sequence[Durable]] = {
        "identity": identity.DURABLES,
        "acquisition": acquisition.DURABLES,
        "engagement": (*handlers.welcome_durables(), *handlers.alert_durables()),
        "commerce": commerce.durables(timedelta(days=1)),
    }
    async with AsyncExitStack() as stack:
        open_rooms = {service: await stack.enter_async_context(rooms(service)) for service in durables}
        yield House(jetstream, open_rooms, durables)
        for own in durables.values():
            for one in own:
                await jetstream.delete_consumer(one.stream, one.name)


def morning(sealer: Sealer, offset: int) -> list[Any]:
    """Adds with welcome codes, ends, people with shop accounts, orders that are paid and partly refunded."""
    messages: list[Any] = []
    for number in range(offset, offset + 8):
        add = f.added(number, "anna" if number % 2 else "bob", number)
        add.sealed_welcome_code = sealer.seal(CORP, f"code-{number}")
        add.arrived_at.FromDatetime(datetime.now(UTC))
        messages.append(add)
        if number % 3 == 0:
            messages.append(f.ended(number, "bob", number + 500, by_customer=True))
        messages.append(f.paid(f"order-{number}", number, 1000 + number, number + 90, ordered=number + 60))
        if number % 4 == 0:
            messages.append(f.refunded(f"order-{number}", f"refund-{number}", 100, number + 120))
    return messages


def who_is_who(offset: int) -> list[Any]:
    """That contacts and buyers are the same people; one phone is that of too many."""
    links = [f.linked([("yz_open_id", n), ("external_userid", n)], n + 30) for n in range(offset, offset + 8)]
    return links + [f.linked([("yz_open_id", n), ("phone", "one")], n + 31) for n in range(offset, offset + 8)]


async def live(house: House, sealer: Sealer, offset: int) -> None:
    async with house.at_work():
        await house.say(itertools.chain(morning(sealer, offset), who_is_who(offset)), offset * 100)
        await house.rests()
        async with house.rooms["identity"].pool.acquire() as connection:
            await connection.execute(
                """
                insert into contacts
                select corp_id, identifier_id, 'name', 7
                from identifiers
                where kind = 'external_userid'
                on conflict do nothing
                """
            )
            await connection.execute(
                """
                insert into staff (
                    corp_id, userid, sealed_name, fingerprint, department_ids, active, version, within_department_ids
                )
                values ($1, 'anna', 'a', 'f', '{2}', true, 3, '{1,2}')
                on conflict do nothing
                """,
                CORP,
            )
        await restate(house.rooms["identity"].outbox, [r for r in identity_restate.RESTATEMENTS if r.table == "staff"])
        await house.rests()


async def test_lost_projections_come_back_by_restating(house: House, sealer: Sealer) -> None:
    await live(house, sealer, 0)
    before = [await house.shows("commerce", PROJECTIONS), await house.shows("commerce", FOLLOWS)]
    assert all(before[0]) and all(before[1]), "every projection has something to lose"
    outside = await house.shows("engagement", EFFECTS)
    await house.rooms["commerce"].pool.execute(
        "truncate customer_identifiers, relations, relation_spans, touches, staff_places"
    )
    async with house.at_work():
        stated = await restate(house.rooms["acquisition"].outbox, acquisition_restate.RESTATEMENTS)
        stated |= await restate(house.rooms["identity"].outbox, identity_restate.RESTATEMENTS)
        await house.rests()
    assert all(stated.values()), stated
    assert [await house.shows("commerce", PROJECTIONS), await house.shows("commerce", FOLLOWS)] == before
    assert await house.shows("engagement", EFFECTS) == outside


async def test_who_has_everything_sees_no_difference(house: House, sealer: Sealer) -> None:
    """Not even when the others' welcomes are lost: an old add is welcomed by nobody, and not counted as missed."""
    await live(house, sealer, 0)
    seen = [await house.shows("commerce", (*PROJECTIONS, *FOLLOWS)), await house.shows("acquisition", PROJECTIONS[:1])]
    assert all(seen[0]) and all(seen[1])
    people = await house.shows(
        "identity", ("select * from identifiers order by 1, 2", "select * from edges order by 1, 2")
    )
    values = await house.shows("identity", ("select * from order_values order by 1, 2, 3",))
    names = await house.shows(
        "engagement", ("select * from staff order by 1, 2", "select * from contacts order by 1, 2")
    )
    await house.rooms["engagement"].pool.execute("delete from welcomes")
    await house.rooms["engagement"].pool.execute("delete from due_rows")
    attributed = (await house.js.stream_info("COMMERCE")).state.messages
    async with house.at_work():
        for _ in range(2):
            await restate(house.rooms["acquisition"].outbox, acquisition_restate.RESTATEMENTS, corp_id=CORP)
            await restate(house.rooms["identity"].outbox, identity_restate.RESTATEMENTS, corp_id=CORP)
            stated = await restate(house.rooms["commerce"].outbox, commerce_restate.RESTATEMENTS, corp_id=CORP)
            await house.rests()
    assert seen == [
        await house.shows("commerce", (*PROJECTIONS, *FOLLOWS)),
        await house.shows("acquisition", PROJECTIONS[:1]),
    ]
    assert people == await house.shows(
        "identity", ("select * from identifiers order by 1, 2", "select * from edges order by 1, 2")
    )
    assert values == await house.shows("identity", ("select * from order_values order by 1, 2, 3",))
    assert names[0] == (await house.shows("engagement", ("select * from staff order by 1, 2",)))[0]
    assert await house.rooms["engagement"].rows("select * from welcomes") == []
    assert await house.rooms["engagement"].rows("select * from due_rows") == []
    now = (await house.js.stream_info("COMMERCE")).state.messages
    assert now == attributed + 2 * stated["OrderAttributed"], "nothing but what was asked for was stated"


async def test_restating_since_a_time_states_only_what_is_newer(house: House, sealer: Sealer) -> None:
    await live(house, sealer, 0)
    outbox = house.rooms["identity"].outbox
    everything = await restate(outbox, identity_restate.RESTATEMENTS)
    relations = await restate(outbox, identity_restate.RESTATEMENTS, since=f.at(400))
    assert 0 < relations["RelationChanged"] < everything["RelationChanged"]
    nothing = await restate(outbox, identity_restate.RESTATEMENTS, since=datetime.now(UTC) + timedelta(hours=1))
    assert {**nothing, "IdentifiersAssigned": 0} == dict.fromkeys(everything, 0)
    assert await restate(outbox, identity_restate.RESTATEMENTS, corp_id="ww-nobody") == dict.fromkeys(everything, 0)


async def test_what_a_mall_told_of_buyers_is_asked_for_again(house: House, sealer: Sealer) -> None:
    """It is not kept here; only buyers of whom the mall had told something are asked about."""
    await live(house, sealer, 0)
    commerce_room = house.rooms["commerce"]
    await commerce_room.pool.execute("update due_rows set status = 'done', done_at = now()")
    told = f.uid("yz_open_id", 3)
    await commerce_room.pool.execute("update buyers set identified_at = now() where buyer_id = $1", told)
    stated = await restate(commerce_room.outbox, commerce_restate.RESTATEMENTS)
    assert stated == {"OrderAttributed": 8, "BuyerIdentified": 0}
    asked = await commerce_room.rows("select kind, key from due_rows where status = 'due'")
    assert asked == [{"kind": "buyer_query", "key": told}]


async def test_an_old_copy_of_a_database_catches_up_by_rewinding(
    house: House, sealer: Sealer, servers: Servers
) -> None:
    await live(house, sealer, 0)
    commerce_room = house.rooms["commerce"]
    name = await commerce_room.pool.fetchval("select current_database()")
    admin = await asyncpg.connect(servers.admin_url)
    await commerce_room.pool.expire_connections()
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()", name
    )
    await admin.execute(f"create database {name}_copy template {name}")
    copied_at = datetime.now(UTC)
    await live(house, sealer, 40)
    before = await house.shows("commerce", (*PROJECTIONS, *FOLLOWS))
    outside = await house.shows("engagement", EFFECTS)

    pool = await open_pool(servers.url(f"{name}_copy"), "commerce", size=4)
    house.rooms["commerce"] = Room(pool, Outbox(pool, house.js, "commerce"))
    assert await house.shows("commerce", (*PROJECTIONS, *FOLLOWS)) != before
    async with house.at_work():  # a rewind needs no stop
        found = await rewind.find(house.js, ["commerce"])
        assert len(found) == len(house._durables["commerce"])
        for durable, stream in found.items():
            await rewind.rewind(house.js, stream, durable, copied_at - timedelta(seconds=1))
        await house.rests()
    assert await house.shows("commerce", (*PROJECTIONS, *FOLLOWS)) == before
    assert await house.shows("engagement", EFFECTS) == outside
    await house.rooms["commerce"].outbox.drain()
    await pool.close()
    await admin.execute(f"drop database {name}_copy with (force)")
    await admin.close()


async def test_a_rewound_durable_takes_again_what_its_inbox_forgot(
    rooms: Rooms, jetstream: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    async def handle(_: Any, facts: Any) -> None:
        taken.extend(fact.id for fact in facts)

    await jetstream.purge_stream("EDGE")
    durable = Durable("identity-t-rewound", "EDGE", tuple({type(f.added(1, "anna", 1))}), handle)
    async with rooms("identity") as room:
        consumer = Consumer(durable, jetstream, room.outbox, replicas=1, after=lambda: None)
        task = asyncio.create_task(consumer.run())
        for number in range(6):
            if number == 3:
                await until(lambda: len(taken) == 3)
                await asyncio.sleep(0.05)
                middle = datetime.now(UTC)
                await asyncio.sleep(0.05)
            fact = new_fact(f.added(number, "anna", number), corp_id=CORP, source="tests", fact_id=f"rewound-{number}")
            await publishing.publish(jetstream, fact, timeout=5)
        await until(lambda: len(taken) == 6)
        assert await rewind.rewind(jetstream, "EDGE", durable.name, middle) == 3
        await until(lambda: rests(jetstream, durable.name))
        assert len(taken) == 6, "the inbox knows them"
        monkeypatch.setenv("IDENTITY_DATABASE_URL", await url_of(room))
        assert await rewind.forget(durable.name, middle) == 3
        assert await rewind.rewind(jetstream, "EDGE", durable.name, rewind.BEGINNING) == 6
        await until(lambda: len(taken) == 9)
        assert sorted(taken[6:]) == ["rewound-3", "rewound-4", "rewound-5"]
        await consumer.stop()
        await task
        with pytest.raises(LookupError, match="no-such"):
            await rewind.find(jetstream, ["no-such"])
    await jetstream.delete_consumer("EDGE", durable.name)


async def rests(js: JetStreamContext, durable: str) -> bool:
    info = await js.consumer_info("EDGE", durable)
    return not (info.num_pending or info.num_ack_pending)


async def url_of(room: Room) -> str:
    async with room.pool.acquire() as connection:
        host, port = connection._con._addr  # type: ignore[union-attr]
        name = await connection.fetchval("select current_database()")
    return f"postgresql://postgres:secret@{host}:{port}/{name}"
