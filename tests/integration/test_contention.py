"""Many replicas at the same few keys: no deadlock, and the state that one replica makes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest
from bihuan.commerce.v1.facts_pb2 import BuyerIdentified
from bihuan.common.v1.identifier_pb2 import Identifier
from bihuan.identity.v1.facts_pb2 import ContactRead, StaffPlaced
from bihuan.staff.v1.facts_pb2 import AlertKind, StaffAlertRaised

from acquisition import consumers as acquisition
from chassis.consumer import Durable
from chassis.facts import Received
from chassis.kernel.identifiers import Identifiers
from chassis.moments import stamp
from chassis.pool import is_transient
from chassis.sealing import Sealer
from commerce import consumers as commerce
from engagement.consumers import Handlers
from identity import consumers as identity
from tests import facts as f
from tests.conftest import CORP, Room, received
from tests.integration.test_any_order import (
    route,
    what_was_planned,
    who_came_how,
    who_earned_what,
    who_is_who,
)
from tests.marking import attribution_queue, work_off
from tests.unit.identity import referee

Rooms = Callable[..., Any]
REPLICAS = 8
FACTS = 240


async def crowd(
    room: Room, work: Sequence[tuple[Durable, Received]], replicas: int, seed: int, *, largest: int = 12
) -> None:
    """Every replica takes all of the work, shuffled its own way, in batches of any size, all at the same time."""

    async def replica(number: int) -> None:
        random = Random(seed * 100 + number)
        own = list(work)
        random.shuffle(own)
        while own:
            size = random.randint(1, largest)
            batch, own = own[:size], own[size:]
            for durable in {durable.name: durable for durable, _ in batch}.values():
                await take_patiently(room, durable, [fact for one, fact in batch if one is durable])

    await asyncio.gather(*(replica(number) for number in range(replicas)))


async def take_patiently(room: Room, durable: Durable, facts: list[Received]) -> None:
    """As a consumer does; but a deadlock, which it would survive, is a failure here."""
    while True:
        try:
            await room.take(durable, facts)
            return
        except asyncpg.DeadlockDetectedError as error:
            raise AssertionError(f"{durable.name}: a deadlock") from error
        except Exception as error:
            if not is_transient(error):
                raise
            await asyncio.sleep(0.01)


async def same_as_one(
    rooms: Rooms,
    service: str,
    durables: Sequence[Durable],
    messages: Sequence[Any],
    project: Callable[[Room], Awaitable[Any]],
    seed: int,
    after: Callable[[Room], Awaitable[None]] | None = None,
) -> None:
    work = route(tuple(durables), [received(message, f"{number:04d}") for number, message in enumerate(messages)])
    found = []
    for replicas in (1, REPLICAS):
        async with rooms(service, size=REPLICAS + 2) as room:
            await crowd(room, work, replicas, seed)
            if after is not None:
                await after(room)
            found.append(await project(room))
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_identity(rooms: Rooms, seed: int) -> None:
    r = Random(seed)
    kinds = ["yz_open_id", "unionid", "phone", "external_userid"]
    messages: list[Any] = []
    for _ in range(FACTS):
        pick = r.random()
        if pick < 0.3:
            messages.append(f.added(r.randrange(30), r.choice(["anna", "bob"]), r.randrange(99)))
        elif pick < 0.45:
            messages.append(
                f.ended(r.randrange(5), r.choice(["anna", "bob"]), r.randrange(99), by_customer=r.random() < 0.5)
            )
        else:
            names = {(r.choice(kinds), r.randrange(30)) for _ in range(r.randint(2, 3))}
            if len(names) > 1:
                messages.append(f.linked(sorted(names), r.randrange(99)))
    durables = [one for one in identity.DURABLES if one is not identity.STAFF]
    await same_as_one(rooms, "identity", durables, messages, who_is_who, seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_acquisition(rooms: Rooms, seed: int) -> None:
    r = Random(seed)
    messages: list[Any] = [
        f.added(
            r.randrange(4),
            r.choice(["anna", "bob"]),
            r.randrange(60),
            state=r.choice(["", "unknown"]),
            half=r.random() < 0.3,
        )
        for _ in range(FACTS)
    ]
    messages += [f.assigned(v % 3, [("external_userid", v % 4)], v) for v in range(1, 60)]
    await same_as_one(rooms, "acquisition", acquisition.DURABLES, messages, who_came_how, seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_commerce(rooms: Rooms, seed: int) -> None:
    r = Random(seed)
    orders = {f"o{n}": (n % 2, 1000 * n, 10 * n) for n in range(1, 5)}
    messages: list[Any] = []
    for _ in range(FACTS):
        name = r.choice(list(orders))
        buyer, fen, at = orders[name]
        messages.append(
            r.choice(
                [
                    f.created(name, buyer, fen, at),
                    f.paid(name, buyer, fen, at + 1, ordered=at),
                    f.shipped(name, at + 2),
                    f.completed(name, at + 3),
                    f.refunded(name, r.choice(["r1", "r2", "r3"]), 400, 50 + r.randrange(9)),
                    f.assigned(
                        r.randrange(2), [("external_userid", r.randrange(3)), ("yz_open_id", buyer)], len(messages) + 1
                    ),
                    f.related(r.randrange(3), r.choice(["anna", "bob"]), [(r.randrange(40), None)], len(messages) + 1),
                    f.acquired(f"t{len(messages)}", r.randrange(3), "anna", r.randrange(3), r.randrange(40)),
                ]
            )
        )
    for version, userid in enumerate(["anna", "bob"] * 9, start=1):
        messages.append(
            StaffPlaced(corp_id=CORP, userid=userid, active=True, version=version, within_department_ids=[version])
        )

    async def attribute(room: Room) -> None:
        await asyncio.gather(*(work_off(attribution_queue(room.outbox)) for _ in range(3)))

    async def project(room: Room) -> Any:
        places = await room.rows("select userid, version, within_department_ids from staff_places order by 1")
        return await who_earned_what(room), places

    await same_as_one(rooms, "commerce", commerce.durables(timedelta(hours=1)), messages, project, seed, attribute)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_engagement(rooms: Rooms, handlers: Handlers, sealer: Sealer, seed: int) -> None:
    r, now = Random(seed), datetime.now(UTC)
    messages: list[Any] = []

    def code(number: int) -> bytes:
        return sealer.seal(CORP, f"code{number}")

    for number in range(FACTS // 3):
        contact = r.randrange(40)
        messages += [
            f.acquired(f"t{number}", contact, "anna", 1, number, sealed_code=code(number % 60), arrived=now),
            ContactRead(
                corp_id=CORP, contact=f.identifier("external_userid", contact), sealed_name=b"n", version=number
            ),
            StaffAlertRaised(
                alert_id=f"a{number % 30}", corp_id=CORP, userid=f"guide{number % 30 % 3}",
                kind=AlertKind.ALERT_KIND_ORDER_PAID, contact_id=f.uid("external_userid", number % 30),
                order_id=f"o{number % 30}", at=stamp(now), arrived_at=stamp(now),
            ),
        ]  # fmt: skip
    # One code is one customer's: what differs between two facts about it must not decide.
    for message in messages:
        if hasattr(message, "touch_id"):
            number = int(message.touch_id[1:]) % 60
            message.contact.CopyFrom(f.identifier("external_userid", number % 40))
            message.added_at.CopyFrom(stamp(f.at(number)))
    durables = (*handlers.welcome_durables(), *handlers.alert_durables())
    await same_as_one(rooms, "engagement", durables, messages, what_was_planned, seed)


# -- identity under a crowd

WORKERS = 16


def names_of(identifiers: Identifiers, pairs: Sequence[tuple[str, str]]) -> list[Identifier]:
    """As the door makes them: what names nobody falls away."""
    named = [identifiers.name(CORP, kind, value) for kind, value in pairs]
    return [Identifier(kind=one.kind, id=one.id, sealed=one.sealed) for one in named if one is not None]


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in text)


def people_talk(identifiers: Identifiers, people: int, random: Random, *, hotline: int = 0) -> list[BuyerIdentified]:
    """What malls say about so many people: several accounts each, phones shared now and then, poison among it, and
    people who claim another's unionid. `hotline`: so many people give the same phone."""
    facts = []

    def say(pairs: list[tuple[str, str]]) -> None:
        named = names_of(identifiers, pairs)
        if len({one.id for one in named}) > 1:
            at = stamp(f.at(random.randrange(100_000)))
            facts.append(BuyerIdentified(corp_id=CORP, mall_id="yz", identifiers=named, at=at))

    for person in range(people):
        unionid, phone = f"union{person}", f"139{person:08d}"
        for account in range(1 + person % 3):
            say([("yz_open_id", f"yz{person}-{account}"), ("unionid", unionid)])
        say([("external_userid", f"wm{person}"), ("unionid", unionid)])
        say([("yz_open_id", f"yz{person}-0"), ("phone", random.choice([phone, full_width(phone), f"+86 {phone}"]))])
        if person % 7 == 0 and person:
            say([("phone", phone), ("unionid", f"union{person - 1}")])  # a family phone: two unionids, one refused
        if person % 5 == 0:
            for poison in ('"null"', "NULL", "13800138000", "00000000", full_width("null")):
                say([("yz_open_id", f"yz{person}-0"), ("phone", poison), ("unionid", poison)])
    for person in range(hotline):
        say([("yz_open_id", f"hot{person}"), ("phone", "13912345678")])
    random.shuffle(facts)
    return facts


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("people", "hotline", "seed"), [(25, 0, 1), (25, 0, 2), (25, 0, 3), (800, 0, 4), (60, 1500, 5)]
)
async def test_identity_makes_the_referees_people(
    rooms: Rooms, identifiers: Identifiers, people: int, hotline: int, seed: int
) -> None:
    random = Random(seed)
    messages = people_talk(identifiers, people, random, hotline=hotline)
    facts = [received(message, f"{number:05d}") for number, message in enumerate(messages)]
    durable = next(one for one in identity.DURABLES if BuyerIdentified in one.types)
    # Each fact reaches two workers: with few people all of them at once, with many each its share.
    shares: list[list[Received]] = [[] for _ in range(WORKERS)]
    for fact in facts:
        for share in random.sample(shares, WORKERS if people < 30 else 2):
            share.append(fact)
    async with rooms("identity", size=WORKERS + 2) as room:

        async def worker(number: int) -> None:
            mine, own = shares[number], Random(seed * 1000 + number)
            own.shuffle(mine)
            while mine:
                size = own.randint(1, 40)
                batch, mine = mine[:size], mine[size:]
                await take_patiently(room, durable, batch)

        await asyncio.gather(*(worker(number) for number in range(WORKERS)))
        found, quarantined, conflicts, _, _ = await who_is_who(room)
    kinds = {one.id: one.kind for message in messages for one in message.identifiers}
    links = [
        (message.at.ToDatetime(UTC), message.identifiers[0].id, other.id)
        for message in messages
        for other in message.identifiers[1:]
    ]
    ruling = referee.rule(kinds, links)
    assert found == ruling.people
    assert quarantined == ruling.quarantined
    assert [(row["from_id"], row["to_id"]) for row in conflicts] == ruling.refused
    assert bool(quarantined) == bool(hotline)
