"""Publishing to JetStream until it is confirmed."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable, Sequence

import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import BadHeaderError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from chassis.errors import Unavailable
from chassis.facts import Fact
from chassis.nats_connection import Connection, connection_of

# Longest wait for an ack seen while a cluster elected a new leader: 10.7 s.
PUBLISH_SECONDS = 25.0
CLOCK_SECONDS = 0.1


class _Batch:
    """Facts that are on their way: what became of each is None with its ack, and why not without."""

    def __init__(self, replies: list[str], until: float) -> None:
        self.replies = replies
        self.until = until
        self.ended: dict[int, Unavailable | None] = {}
        self.done = asyncio.get_running_loop().create_future()

    def end(self, place: int, error: Unavailable | None) -> None:
        self.ended.setdefault(place, error)
        if len(self.ended) == len(self.replies) and not self.done.done():
            self.done.set_result(None)


class Publisher:
    """Publishes on one connection and waits for JetStream's acks.

    A request of nats-py's own costs a random token, a timer and three tasks' turns each; here one inbox receives all
    acks, a counter tells them apart, and one clock watches every deadline, a tenth of a second exact.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = connection.new_inbox()
        self._listening: asyncio.Task[Subscription] | None = None
        self._numbers = itertools.count()
        # By reply subject: its batch, and its place there.
        self._open: dict[str, tuple[_Batch, int]] = {}
        self._batches: set[_Batch] = set()
        self._clock: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def send(self, facts: Sequence[Fact], timeout: float) -> list[Unavailable | None]:
        """Sends all at once and waits for the end of each: None is JetStream's ack; Unavailable says that it refused,
        or said nothing for `timeout` seconds, reconnecting included."""
        if not facts:
            return []
        replies = [f"{self._inbox}.{next(self._numbers)}" for _ in facts]
        batch = _Batch(replies, self._loop.time() + timeout)
        self._batches.add(batch)
        self._open.update((reply, (batch, place)) for place, reply in enumerate(replies))
        if self._clock is None:
            self._clock = self._loop.call_later(CLOCK_SECONDS, self._tick)
        try:
            try:
                if self._listening is None or not self._listening.done():
                    await self._listen()
                await self._write(batch, facts)
            except (NatsError, OSError) as error:
                for place in range(len(facts)):
                    batch.end(place, _not_sent(error))
            await batch.done
        finally:
            self._batches.discard(batch)
            for reply in replies:
                self._open.pop(reply, None)
        return [batch.ended[place] for place in range(len(facts))]

    async def _write(self, batch: _Batch, facts: Sequence[Fact]) -> None:
        frames = []
        for place, (fact, reply) in enumerate(zip(facts, batch.replies, strict=True)):
            try:
                frames.append(self._connection.frame(fact.subject, reply, fact.payload, fact.headers))
            except BadHeaderError:
                await self._connection.publish(fact.subject, fact.payload, reply=reply, headers=fact.headers)
            except NatsError as error:  # of this fact alone: it is too large, say
                batch.end(place, _not_sent(error))
        await self._connection.send(frames)

    async def _listen(self) -> None:
        """Subscribes once; who comes meanwhile waits for it, and who comes after a failure tries anew."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._connection.listen(f"{self._inbox}.*", self._take))
        try:
            await asyncio.shield(self._listening)
        except NatsError:
            self._listening = None
            raise

    def _take(self, ack: Msg) -> None:
        batch, place = self._open.pop(ack.subject, (None, 0))
        if batch is None:
            return
        answer = orjson.loads(ack.data) if ack.data else {"error": {"description": "no stream answers"}}
        refused = answer.get("error")
        batch.end(place, Unavailable("BUS_AWAY", f"the fact was refused: {refused}") if refused else None)

    def _tick(self) -> None:
        now = self._loop.time()
        for batch in [one for one in self._batches if one.until <= now]:
            for place in range(len(batch.replies)):
                batch.end(place, Unavailable("BUS_AWAY", "the fact was not confirmed in time"))
        self._clock = self._loop.call_later(CLOCK_SECONDS, self._tick) if self._batches else None


def _not_sent(error: Exception) -> Unavailable:
    return Unavailable("BUS_AWAY", f"the fact was not sent: {error!r}")


# By connection, so that all who publish on it share its inbox.
_publishers: dict[Connection, Publisher] = {}


def _publisher(js: JetStreamContext) -> Publisher:
    connection = connection_of(js)
    known = _publishers.get(connection)
    if known is None:
        for closed in [one for one in _publishers if one.is_closed]:
            del _publishers[closed]
        known = _publishers[connection] = Publisher(connection)
    return known


async def publish(js: JetStreamContext, fact: Fact, *, timeout: float) -> None:
    """Publishes once and waits for the ack. Raises Unavailable when none came within `timeout` seconds."""
    [error] = await _publisher(js).send([fact], timeout)
    if error is not None:
        raise error


async def publish_until_confirmed(
    js: JetStreamContext, facts: Iterable[Fact], *, seconds: float = PUBLISH_SECONDS
) -> list[Fact]:
    """Publishes all at once, repeating under the same ids; returns those confirmed within `seconds` or soon after."""
    publisher, open_facts = _publisher(js), list(facts)
    confirmed: list[Fact] = []
    give_up_at = asyncio.get_running_loop().time() + seconds
    pause = 0.05
    while open_facts:
        results = await publisher.send(open_facts, min(5.0, seconds))
        confirmed += [fact for fact, error in zip(open_facts, results, strict=True) if error is None]
        open_facts = [fact for fact, error in zip(open_facts, results, strict=True) if error is not None]
        if not open_facts or asyncio.get_running_loop().time() > give_up_at:
            break
        await asyncio.sleep(pause * (1 + random.random()))
        pause = min(pause * 2, 2.0)
    return confirmed
