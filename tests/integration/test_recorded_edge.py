"""The four services over one recorded EDGE stream, as callbacks and mall messages made it: however it arrives, their
declared projections are the same. Facts travel between the services as they would; only the servers of the outside
world (contacts, buyers) are stood in for, by functions of what is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bihuan.staff.v1.facts_pb2 import StaffAlerted
from google.protobuf.message import Message
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from acquisition import consumers as acquisition
from chassis.effects import EffectWorker
from chassis.facts import Fact, Received, decode, type_of
from chassis.kernel.corps import Mall
from chassis.kernel.identifiers import Identifiers
from chassis.outbox import Outbox
from chassis.outbox_rows import Batches
from chassis.sealing import Sealer
from commerce import consumers as commerce
from commerce.app import buyers
from commerce.app.buyers import BuyerQueries
from deploy.local.home import SERVICES
from engagement.consumers import Handlers
from gateway.edge import Edge
from gateway.mall import youzan
from gateway.mall.reading import read as read_message
from gateway.mall.youzan_orders import BEIJING
from gateway.wecom import events
from identity import consumers as identity
from identity.app import contacts
from identity.app.contacts import ContactReads
from tests.conftest import CORP, Room, examples, received
from tests.marking import attribution_queue, work_off

Rooms = Callable[..., Any]
MALL = Mall.model_validate(
    {"id": "yz", "platform": "youzan", "api_base": "http://x", "kdt_id": "1", "client_id": "c", "client_secret": "s"}
)
MORNING = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
ARRIVED = MORNING + timedelta(days=1)

# -- what the outside says


class Contacts:
    """externalcontact/get: contact n has unionid n mod 3, so that some share one; that is a conflict."""

    async def read(self, corp_id: str, external_userid: str) -> dict[str, Any]:
        number = int(external_userid.removeprefix("wm"))
        return {"external_contact": {"name": f"客户{number}", "unionid": f"union{number % 3}"}, "follow_user": []}


class Shop:
    """users.info.query: shop account n belongs to unionid n mod 4."""

    async def who(self, corp_id: str, mall_id: str, kind: str, value: str) -> Mapping[str, str]:
        return {"unionid": f"union{int(value.removeprefix('yz')) % 4}"}


seconds = st.integers(0, 5000)
contact = st.integers(0, 4)
employee = st.sampled_from(["anna", "bob"])


def add(c: int, e: str, at: int, state: str) -> dict[str, str]:
    return {
        "ChangeType": "add_external_contact",
        "UserID": e,
        "ExternalUserID": f"wm{c}",
        "State": state,
        "at": str(at),
    }


def end(c: int, e: str, at: int, kind: str) -> dict[str, str]:
    return {"ChangeType": kind, "UserID": e, "ExternalUserID": f"wm{c}", "at": str(at)}


def order(number: int, kind: str, extra: int) -> dict[str, Any]:
    """One message of one of six orders; an order's own facts follow from its number."""
    return {"order": number, "kind": kind, "extra": extra}


messages = st.lists(
    st.one_of(
        st.builds(add, contact, employee, seconds, st.sampled_from(["", "unknown"])),
        st.builds(end, contact, employee, seconds, st.sampled_from(["del_external_contact", "del_follow_user"])),
        st.builds(
            order,
            st.integers(0, 5),
            st.sampled_from(["TradeCreate", "TradePaid", "TradeSellerShip", "TradeSuccess", "Refund"]),
            st.integers(0, 2),
        ),
    ),
    min_size=4,
    max_size=18,
)


def read(edge: Edge, position: int, said: dict[str, Any]) -> Received:
    """Through the gateway's own readers: the fact that lies in EDGE."""
    fact: Message
    if "order" in said:
        number, at = said["order"], MORNING + timedelta(seconds=800 * said["order"])
        created = youzan_time(at)
        msg: dict[str, Any] = {"tid": f"E{number}", "update_time": youzan_time(at + timedelta(seconds=60))}
        kind = f"trade_{said['kind']}"
        version = 1
        if said["kind"] in ("TradeCreate", "TradePaid"):
            msg = {
                "full_order_info": {
                    "order_info": {"tid": f"E{number}", "created": created, "pay_time": created},
                    "pay_info": {"payment": f"{number}.50"},
                    "orders": [],
                    "buyer_info": {"yz_open_id": f"yz{number % 5}"},
                }
            }
        elif said["kind"] == "Refund":
            kind = "trade_refund_RefundSuccess"
            msg |= {"refund_id": f"R{number}-{said['extra']}", "refunded_fee": "0.75"}
            version = 2 + said["extra"]
        body = json.dumps(
            {"kdt_id": 1, "type": kind, "msg": msg, "version": version, "msg_id": f"m{position}"}
        ).encode()
        message = read_message(youzan, edge, CORP, MALL, body, ARRIVED)
        assert message is not None
        fact = message.fact
    else:
        at = MORNING + timedelta(seconds=int(said["at"]))
        fields = {**said, "Event": "change_external_contact", "CreateTime": str(int(at.timestamp()))}
        fact = events.read(edge, CORP, fields, "", ARRIVED)
    return received(fact, f"edge-{position:04d}")


def youzan_time(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


# -- a house whose bus is a list


class Recorded(Outbox):
    """Hands its facts to the house instead of to JetStream."""

    def __init__(self, room: Room, service: str, pending: list[Fact]) -> None:
        super().__init__(room.pool, None, service)  # type: ignore[arg-type]
        self._pending = pending

    async def _publish(self, facts: Sequence[Fact], batches: Batches) -> None:
        self._pending += facts
        self._published += batches


class House:
    def __init__(self, rooms: dict[str, Room], handlers: Handlers, sealer: Sealer, identifiers: Identifiers) -> None:
        self.rooms = rooms
        self._pending: list[Fact] = []
        self._told: set[tuple[str, str]] = set()
        for service, room in rooms.items():
            room.outbox = Recorded(room, service, self._pending)
        self._durables = {
            "identity": identity.DURABLES,
            "acquisition": acquisition.DURABLES,
            "engagement": (*handlers.welcome_durables(), *handlers.alert_durables()),
            "commerce": commerce.durables(timedelta()),
        }
        reads = ContactReads(rooms["identity"].outbox, Contacts(), sealer, identifiers)
        queries = BuyerQueries(rooms["commerce"].outbox, Shop(), sealer, identifiers)
        self._effects = [
            EffectWorker(rooms["identity"].pool, contacts.KIND, reads, at_once=50),
            EffectWorker(rooms["commerce"].pool, buyers.KIND, queries, at_once=50),
        ]
        self._attribution = attribution_queue(rooms["commerce"].outbox)

    async def live(self, edge: list[Received], random: Random, *, calm: bool) -> None:
        """Takes the stream, in order and one by one, or shuffled, in part twice and in batches of any size, with the
        services' own facts mixed in at any time; until nothing is on its way."""
        waiting = list(edge)
        if not calm:
            waiting += random.sample(edge, len(edge) // 3)
            random.shuffle(waiting)
        while waiting or self._pending:
            took, self._pending[:] = self._pending[:], []
            self._hear(took)
            mail = [fact for fact in map(self._arrived, took) if fact is not None]
            if not calm:
                mail += random.sample(mail, len(mail) // 4)
                random.shuffle(mail)
            size = 1 if calm else random.randint(1, 9)
            batch, waiting = waiting[:size] + mail, waiting[size:]
            await self._deliver(batch)
            if calm or random.random() < 0.5 or not waiting:
                await self._work()

    async def _deliver(self, batch: list[Received]) -> None:
        for service, durables in self._durables.items():
            for durable in durables:
                types = {type_of(message) for message in durable.types}
                own = [fact for fact in batch if fact.type in types]
                if own:
                    await self.rooms[service].take(durable, own)

    async def _work(self) -> None:
        for effects in self._effects:
            while await effects.work():
                await effects.drain()
        await work_off(self._attribution)
        for room in self.rooms.values():
            await room.outbox.drain()  # what was stated is on its way only when the publisher's task has run

    def _hear(self, facts: Iterable[Fact]) -> None:
        """What employees are told of payments, each time anew."""
        for fact in facts:
            if fact.headers["ce-type"] == type_of(StaffAlerted):
                alert = StaffAlerted.FromString(fact.payload)
                if alert.HasField("order_paid"):
                    told = alert.order_paid.order_id, alert.userid
                    assert told not in self._told, "an alert was stated twice"
                    self._told.add(told)

    def _arrived(self, fact: Fact) -> Received | None:
        """None when no service takes it."""
        types = {
            type_of(message): message
            for durables in self._durables.values()
            for durable in durables
            for message in durable.types
        }
        if fact.headers["ce-type"] not in types:
            return None
        return decode(types, fact.subject, fact.headers, fact.payload)

    async def forget_inboxes(self) -> None:
        for room in self.rooms.values():
            await room.pool.execute("truncate inbox")

    async def declared(self) -> dict[str, Any]:
        """What every service says of the world: ids up to renaming, no times of arrival."""
        one, found = self.rooms, {}
        identifiers = await one["identity"].rows("select identifier_id, customer_id, quarantined from identifiers")
        found["people"] = _groups(identifiers)
        found["conflicts"] = await one["identity"].rows("select from_id, to_id from conflicts order by 1, 2")
        found["relations"] = await one["identity"].rows(
            "select contact_id, userid, alive, added_at, ended_at from relations order by 1, 2"
        )
        found["names"] = await one["identity"].rows("select contact_id from contacts order by 1")
        found["values"] = await one["identity"].rows(
            "select order_id, buyer_id, paid_fen, refunded_fen from order_values order by 1"
        )
        found["touches"] = await one["acquisition"].rows(
            "select touch_id, contact_id, userid, fallback, kind from touches order by 1"
        )
        found["orders"] = await one["commerce"].rows(
            """
            select order_id, buyer_id, total_fen, created_at, paid_fen, shipped_at, completed_at
            from orders
            order by 1
            """
        )
        found["refunds"] = await one["commerce"].rows("select refund_id, amount_fen, status from refunds order by 1")
        found["attributions"] = await one["commerce"].rows(
            """
            select order_id, userid, contact_id, channel_id is null as no_channel, paid, paid_fen, refunded_fen
            from attributions
            order by 1
            """
        )
        for service in ("acquisition", "commerce"):
            projected = await one[service].rows(
                "select identifier_id, customer_id, customer_id is null as quarantined from customer_identifiers"
            )
            assert {row["identifier_id"]: row["customer_id"] for row in projected} == {
                row["identifier_id"]: row["customer_id"] for row in identifiers
            }, f"{service} believes something else than identity"
        # An alert cannot be taken back: the employee of the order as it is now was told, whoever else was before.
        told = {(row["order_id"], row["userid"]) for row in found["attributions"] if row["paid"] and row["userid"]}
        assert told <= self._told
        return found


def _groups(rows: list[dict[str, Any]]) -> Any:
    people: dict[Any, list[Any]] = {}
    for row in rows:
        people.setdefault(row["customer_id"] or row["identifier_id"], []).append(row["identifier_id"])
    return sorted(sorted(one) for one in people.values()), sorted(r["identifier_id"] for r in rows if r["quarantined"])


# Shrinking a failure would take four databases a step.
@settings(max_examples=examples(5), phases=[Phase.explicit, Phase.generate])
@given(messages, st.integers())
async def test_the_house_is_a_function_of_its_facts(
    rooms: Rooms,
    handlers: Handlers,
    sealer: Sealer,
    identifiers: Identifiers,
    said: list[dict[str, Any]],
    seed: int,
) -> None:
    edge = Edge(None, sealer, identifiers)  # type: ignore[arg-type]
    stream = [read(edge, position, one) for position, one in enumerate(said)]
    random = Random(seed)
    async with AsyncExitStack() as stack:

        async def build() -> House:
            made = {service: await stack.enter_async_context(rooms(service)) for service in SERVICES}
            return House(made, handlers, sealer, identifiers)

        calm, wild = await build(), await build()
        await calm.live(stream, random, calm=True)
        expected = await calm.declared()
        middle = random.randint(0, len(stream))
        late = stream[:middle]  # a restart in between, and the earlier half again
        await wild.live(random.sample(stream, middle), random, calm=False)
        await wild.live(stream + late, random, calm=False)
        assert await wild.declared() == expected
        await wild.forget_inboxes()
        await wild.live(stream, random, calm=False)
        assert await wild.declared() == expected
