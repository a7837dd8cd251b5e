"""Pull requests to a durable with one request always standing, so that the next batch gathers while one is handled."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from chassis.nats_connection import connection_of

REQUEST_SECONDS = 5.0
# A request that got no word for this long was lost with its server.
LOST_AFTER_SECONDS = REQUEST_SECONDS + 1.0


class ConsumerGone(Exception):
    """The server has no such consumer (any more), or nobody there to answer for it: declare it anew."""


class Pull:
    """Batches of up to `batch` messages. Messages and the server's status words arrive on one inbox."""

    def __init__(self, js: JetStreamContext, stream: str, durable: str, batch: int) -> None:
        self._nc = connection_of(js)
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._batch = batch
        self._arrived: deque[Msg] = deque()
        self._news = asyncio.Event()
        self._wanted = 0
        self._gone = False
        self._subscription: Subscription | None = None
        self._inbox = ""
        self._asked_at = 0.0

    async def open(self) -> None:
        self._inbox = self._nc.new_inbox()
        self._subscription = await self._nc.listen(self._inbox, self._take)

    def _take(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers else None
        if status is None:
            self._wanted -= 1
            self._arrived.append(message)
        elif status != "100":  # the request ended: 404 and 408 are its time running out
            self._wanted = 0
            self._gone = status not in ("404", "408")
        self._news.set()

    async def close(self) -> None:
        """Gives back what was fetched and not taken, so that nobody waits for its ack."""
        if self._nc.is_connected:
            await self._nc.send(self._nc.frame(message.reply, "", b"-NAK") for message in self._arrived)
        self._arrived.clear()
        if self._subscription is not None and self._nc.is_connected:
            await self._subscription.unsubscribe()

    def interrupt(self) -> None:
        """Ends a waiting `next_batch` with what it has."""
        self._news.set()

    def waiting(self) -> int:
        """Messages that have arrived and were not taken yet."""
        return len(self._arrived)

    async def next_batch(self) -> list[Msg]:
        """One message or more; none after LOST_AFTER_SECONDS or `interrupt`, so that the caller can check whether to
        stop.

        Raises ConsumerGone.
        """
        if self._gone and not self._arrived:
            raise ConsumerGone(self._next)
        loop = asyncio.get_running_loop()
        if self._wanted > 0 and loop.time() - self._asked_at > LOST_AFTER_SECONDS and not self._arrived:
            self._wanted = 0
        await self._ask_when_short()
        if not self._arrived:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), LOST_AFTER_SECONDS)
            except asyncio.TimeoutError:
                return []
        messages = [self._arrived.popleft() for _ in range(min(len(self._arrived), self._batch))]
        await self._ask_when_short()
        return messages

    async def _ask_when_short(self) -> None:
        if self._wanted > 0 or len(self._arrived) >= self._batch:
            return
        request = {"batch": self._batch, "expires": int(REQUEST_SECONDS * 1e9)}
        self._wanted = self._batch
        self._asked_at = asyncio.get_running_loop().time()
        try:
            await self._nc.publish(self._next, json.dumps(request).encode(), reply=self._inbox)
        except NatsError:
            self._wanted = 0
            await asyncio.sleep(0.2)


async def give_back(messages: Sequence[Msg]) -> None:
    """What was neither committed nor dead-lettered goes to another replica at once, not when its ack wait is over."""
    with suppress(NatsError):  # without a connection the server notices by itself
        for message in messages:
            if not message.is_acked:
                await message.nak()


async def keep_alive(messages: Sequence[Msg], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        for message in messages:
            if not message.is_acked:
                await message.in_progress()
