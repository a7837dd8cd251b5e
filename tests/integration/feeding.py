"""A consumer of ContactAdded whose handler is the test's, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from bihuan.wecom.v1.facts_pb2 import ContactAdded
from nats.js import JetStreamContext

from chassis import publishing
from chassis.consumer import Consumer, Durable
from chassis.errors import Invalid
from chassis.facts import Received, new_fact
from chassis.outbox import Tx
from chassis.parking import Parking
from tests import facts as f
from tests.conftest import CORP, Room

REFRESH_SECONDS = 0.1


class Running:
    """One replica: its consumer, and what it does each second about parked corps, here ten times a second."""

    def __init__(
        self,
        room: Room,
        js: JetStreamContext,
        name: str,
        handle: Any,
        *,
        ack_wait_seconds: float = 30,
        batch: int = 64,
        idempotent: bool = False,
    ) -> None:
        self._durable = Durable(
            name,
            "EDGE",
            (ContactAdded,),
            handle,
            batch=batch,
            ack_wait_seconds=ack_wait_seconds,
            idempotent=idempotent,
        )
        self.room = room
        self.name = name
        self.parking = Parking(room.pool)
        # How often kept facts were gone through to their end.
        self.handled_releases = 0
        self._js = js
        self.consumer = self._made()

    def _made(self) -> Consumer:
        return Consumer(self._durable, self._js, self.room.outbox, replicas=1, after=lambda: None, parking=self.parking)

    async def __aenter__(self) -> Running:
        await self._js.purge_stream("EDGE")
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self._js.delete_consumer("EDGE", self.name)

    async def start(self) -> None:
        """After a `stop` too: as another process of the same durable."""
        self.consumer = self._made()
        self.task = asyncio.create_task(self.consumer.run())
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        self._looking.cancel()
        await self.consumer.stop()
        await asyncio.wait([self.task], timeout=10)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.parking.refresh()
            self.handled_releases += await self.consumer.handle_released() > 0

    async def send(self, numbers: int | Sequence[int], *, broken: Collection[int] = (), corp_id: str = CORP) -> None:
        """Facts `NAME-NUMBER`; those of `broken` do not parse."""
        for number in range(numbers) if isinstance(numbers, int) else numbers:
            fact = new_fact(
                f.added(number, "anna", number), corp_id=corp_id, source="tests", fact_id=f"{self.name}-{number}"
            )
            if number in broken:
                fact = type(fact)(fact.id, fact.corp_id, fact.subject, fact.headers, b"\xff\xff")
            await publishing.publish(self._js, fact, timeout=5)

    async def settled(self) -> bool:
        info = await self._js.consumer_info("EDGE", self.name)
        return info.num_ack_pending == 0 and info.num_pending == 0


def recorder(taken: list[str], poison: set[str]) -> Any:
    """A handler that refuses some facts, and takes the others in its transaction."""

    async def handle(tx: Tx, facts: Sequence[Received]) -> None:
        bad = [fact.id for fact in facts if fact.id in poison]
        if bad:
            raise Invalid("POISON", f"{bad[0]} cannot be")
        taken.extend(fact.id for fact in facts)

    return handle
