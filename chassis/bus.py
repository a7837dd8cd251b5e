"""NATS JetStream: connection, streams, publishing until confirmed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from chassis.errors import Unavailable
from chassis.facts import Fact
from chassis.logs import log

SEVEN_DAYS = 7 * 86400.0
DEDUPLICATION_SECONDS = 600.0
# Longest wait for an ack seen while a cluster elected a new leader: 10.7 s.
PUBLISH_SECONDS = 25.0

# One stream per producer; STAFF is shared.
STREAMS: dict[str, tuple[str, ...]] = {
    "EDGE": ("evt.bihuan.wecom.v1.>", "evt.bihuan.mall.v1.>"),
    "ACQUISITION": ("evt.bihuan.acquisition.v1.>",),
    "ENGAGEMENT": ("evt.bihuan.engagement.v1.>",),
    "COMMERCE": ("evt.bihuan.commerce.v1.>",),
    "IDENTITY": ("evt.bihuan.identity.v1.>",),
    "STAFF": ("evt.bihuan.staff.v1.>",),
}


def stream_of(subject: str) -> str:
    """The stream that a subject of ours lies in."""
    for name, patterns in STREAMS.items():
        if any(subject.startswith(pattern.removesuffix(">")) for pattern in patterns):
            return name
    raise ValueError(f"no stream holds {subject}")


async def connect(url: str, name: str) -> Client:
    """A connection that reconnects for ever. Permission errors reach the log: the publisher sees only a time-out."""

    async def on_error(error: Exception) -> None:
        log.warning("nats_error", error=repr(error))

    async def on_disconnect() -> None:
        log.warning("nats_disconnected")

    async def on_reconnect() -> None:
        log.info("nats_reconnected")

    return await nats.connect(
        url,
        name=name,
        error_cb=on_error,
        disconnected_cb=on_disconnect,
        reconnected_cb=on_reconnect,
        reconnect_time_wait=0.2,
        max_reconnect_attempts=-1,
        connect_timeout=5,
        # A server that does not answer is noticed after some ten seconds, not after minutes.
        ping_interval=4,
        max_outstanding_pings=2,
        allow_reconnect=True,
        pending_size=32 * 1024 * 1024,
    )


async def declare_streams(js: JetStreamContext, replicas: int) -> None:
    """Creates or updates all streams; any process may do it, in any order."""
    for name, subjects in STREAMS.items():
        config = StreamConfig(
            name=name,
            subjects=list(subjects),
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            # A full stream refuses at the door; it never forgets a fact.
            discard=DiscardPolicy.NEW,
            max_age=SEVEN_DAYS,
            duplicate_window=DEDUPLICATION_SECONDS,
            num_replicas=replicas,
            allow_direct=True,
        )
        try:
            await js.stream_info(name)
            await js.update_stream(config)
        except NotFoundError:
            await js.add_stream(config)


async def publish(js: JetStreamContext, fact: Fact, *, timeout: float) -> None:
    """Publishes once and waits for the ack. Raises Unavailable when none came within `timeout` seconds."""
    try:
        await js.publish(fact.subject, fact.payload, headers=fact.headers, timeout=timeout)
    except (NatsError, APIError, asyncio.TimeoutError, OSError) as error:
        raise Unavailable("BUS_AWAY", f"the fact was not confirmed: {error!r}") from error


async def publish_until_confirmed(
    js: JetStreamContext, facts: Iterable[Fact], *, seconds: float = PUBLISH_SECONDS
) -> list[Fact]:
    """Publishes all at once, repeating under the same ids; returns those confirmed within `seconds` or soon after."""
    open_facts = list(facts)
    confirmed: list[Fact] = []
    give_up_at = asyncio.get_running_loop().time() + seconds
    pause = 0.05
    while open_facts:
        results = await asyncio.gather(
            *(publish(js, fact, timeout=min(5.0, seconds)) for fact in open_facts), return_exceptions=True
        )
        confirmed += [fact for fact, result in zip(open_facts, results, strict=True) if result is None]
        failures = [result for result in results if result is not None]
        open_facts = [fact for fact, result in zip(open_facts, results, strict=True) if result is not None]
        unexpected = [error for error in failures if not isinstance(error, Unavailable)]
        if unexpected:
            raise unexpected[0]
        if not open_facts or asyncio.get_running_loop().time() > give_up_at:
            break
        await asyncio.sleep(pause * (1 + random.random()))
        pause = min(pause * 2, 2.0)
    return confirmed
