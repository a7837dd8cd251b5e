"""Every mall message, kept whole for months beside the streams' week, and read anew by today's adapters.

The archive is a stream that copies the malls' facts; each carries its message sealed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bihuan.mall.v1 import facts_pb2 as mall_facts
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chassis import bus, publishing
from chassis.errors import DomainError, Unavailable
from chassis.facts import Fact, new_fact, type_of
from chassis.kernel.corps import Corp
from chassis.logs import log
from gateway.edge import Edge, content_id
from gateway.mall.platforms import PLATFORMS
from gateway.mall.reading import Read, open_message, read

STREAM, SOURCE, SUBJECT = "MALL_ARCHIVE", "EDGE", "evt.bihuan.mall.v1.>"
DAY = 86400.0
BATCH = 200
FETCH_SECONDS = 10.0
# Of two facts of one message the higher id stands (an order's facets go by it last): so a reading anew sorts after the
# door's own, and a later one after an earlier one.
READ_ANEW = "r{reading:04d}-{content}"
TYPES: dict[str, type[Message]] = {
    type_of(found): found
    for name in mall_facts.DESCRIPTOR.message_types_by_name
    for found in [getattr(mall_facts, name)]
}


async def declare(js: JetStreamContext, days: int, replicas: int) -> None:
    await bus.declare_archive(js, STREAM, source=SOURCE, subject=SUBJECT, max_age=days * DAY, replicas=replicas)


@dataclass
class Reread:
    """How many messages were read; of them known as they are, stated anew, and such as nobody can read."""

    messages: int = 0
    known: int = 0
    stated: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class Wanted:
    corp: Corp
    since: datetime
    mall_id: str = ""
    kind: str = ""


async def reread(js: JetStreamContext, edge: Edge, wanted: Wanted) -> Reread:
    """States what today's adapters read in the archived messages, where it differs from what was stated then.

    A message read anew has an id of its own per reading (the adapter's READING), so that consumers take it once, and
    take it although they know the message. Raises Unavailable when NATS goes away: do it again, nothing is doubled.
    """
    done, facts = Reread(), list[Fact]()
    async for archived in _archived(js, wanted):
        done.messages += 1
        try:
            fact = _anew(edge, wanted, archived, done)
        except DomainError as error:
            done.unreadable += 1
            log.warning("reread_unreadable", corp_id=wanted.corp.corp_id, reason=error.reason, field=error.field)
            continue
        if fact is not None:
            facts.append(fact)
        if len(facts) >= BATCH:
            await _publish(js, facts)
            done.stated += len(facts)
            facts.clear()
    await _publish(js, facts)
    done.stated += len(facts)
    return done


@dataclass(frozen=True)
class _Archived:
    fact: Message
    mall_id: str
    sealed_message: bytes
    arrived_at: datetime


async def _archived(js: JetStreamContext, wanted: Wanted) -> AsyncIterator[_Archived]:
    """The wanted messages, as they were first stated, up to the newest there is now."""
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=wanted.since, ack_policy=AckPolicy.NONE
    )
    subscription = await js.pull_subscribe(SUBJECT, stream=STREAM, config=config)
    try:
        left = (await subscription.consumer_info()).num_pending or 0
        while left > 0:
            messages = await subscription.fetch(min(BATCH, left), timeout=FETCH_SECONDS)
            left -= len(messages)
            for message in messages:
                found = _open(message, wanted)
                if found is not None:
                    yield found
    finally:
        await subscription.unsubscribe()


def _open(message: Msg, wanted: Wanted) -> _Archived | None:
    """None for what is not wanted; for a reading anew, whose first statement is there too; and for facts of the release
    that kept no messages."""
    headers = message.headers or {}
    kind = TYPES.get(headers.get("ce-type", ""))
    if headers.get("corp-id") != wanted.corp.corp_id or headers.get("ce-id", "").startswith("r") or kind is None:
        return None
    fact: Any = kind.FromString(message.data)
    about = fact.order if "order" in fact.DESCRIPTOR.fields_by_name else fact
    arrived_at = about.arrived_at.ToDatetime(UTC)
    if not about.sealed_message or arrived_at < wanted.since or wanted.mall_id not in ("", about.mall_id):
        return None
    return _Archived(fact, about.mall_id, about.sealed_message, arrived_at)


def _anew(edge: Edge, wanted: Wanted, archived: _Archived, done: Reread) -> Fact | None:
    """The fact to state; None when there is nothing new in it. Raises DomainError for what cannot be read."""
    mall = wanted.corp.mall_of(archived.mall_id)
    if mall is None:
        done.unreadable += 1
        return None
    adapter = PLATFORMS[mall.platform]
    corp_id = wanted.corp.corp_id
    body = open_message(edge.sealer, corp_id, archived.sealed_message, adapter.MOST_BYTES)
    today: Read | None = read(adapter, edge, corp_id, mall, body, archived.arrived_at)
    if today is None or wanted.kind not in ("", today.kind):
        return None
    if _without_seals(today.fact) == _without_seals(archived.fact):
        done.known += 1
        return None
    fact_id = READ_ANEW.format(reading=adapter.READING, content=content_id(corp_id, today.content))
    return new_fact(today.fact, corp_id=corp_id, source="gateway", fact_id=fact_id)


async def _publish(js: JetStreamContext, facts: list[Fact]) -> None:
    confirmed = await publishing.publish_until_confirmed(js, facts)
    if len(confirmed) < len(facts):
        raise Unavailable("BUS_AWAY", "not all readings were confirmed")


def _without_seals(fact: Message) -> tuple[str, bytes]:
    """What a fact says: sealing the same value twice gives two texts."""
    bare: Any = type(fact)()
    bare.CopyFrom(fact)
    _unseal(bare)
    return type_of(fact), bare.SerializeToString(deterministic=True)


def _unseal(message: Any) -> None:
    for field, value in message.ListFields():
        if field.name.startswith("sealed"):
            message.ClearField(field.name)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                _unseal(inner)
