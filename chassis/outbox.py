"""State and facts change together: facts are rows of the transaction, published right after its commit.

No leader and no NOTIFY: whoever committed publishes from memory; every replica sweeps rows that have stayed longer
than ten seconds, under the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from google.protobuf.message import Message
from nats.js import JetStreamContext

from chassis import outbox_rows
from chassis.errors import Unavailable
from chassis.facts import Fact, new_fact
from chassis.outbox_rows import Batches, BatchKey
from chassis.pool import Connection, Pool, is_transient
from chassis.publishing import publish_until_confirmed

SWEEP_AGE_SECONDS = 10.0
SWEEP_BATCHES = 16
SWEEP_ROWS = 500
# Inside the transaction that holds the rows.
SWEEP_SECONDS = 3.0
DELETE_BATCHES = 500


class Tx:
    """One transaction and the facts it states."""

    def __init__(self, connection: Connection, source: str) -> None:
        self.connection = connection
        self.facts: list[Fact] = []
        self._source = source

    def publish(self, message: Message, *, corp_id: str, fact_id: str | None = None, subject_suffix: str = "") -> None:
        """The fact is published if and only if the transaction commits."""
        self.facts.append(
            new_fact(message, corp_id=corp_id, source=self._source, fact_id=fact_id, subject_suffix=subject_suffix)
        )


class Outbox:
    """Opens transactions and gets their facts to JetStream. `source` is the service's name."""

    def __init__(self, pool: Pool, js: JetStreamContext, source: str) -> None:
        self.pool = pool
        self._js = js
        self._source = source
        self._published: list[BatchKey] = []
        self._publishing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Commits state and facts, then hands the facts to the publisher; it does not wait for their acks."""
        async with self.pool.acquire() as connection:
            try:
                async with connection.transaction():
                    tx = Tx(connection, self._source)
                    yield tx
                    if tx.facts:
                        batches = await outbox_rows.insert(connection, tx.facts)
            except Exception as error:
                if connection.is_closed() and not is_transient(error):
                    # Whatever it looks like: what was asked of a connection that died is not at fault.
                    raise Unavailable("STORE_AWAY", repr(error)) from error
                raise
        if tx.facts:
            task = asyncio.create_task(self._publish(tx.facts, batches))
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)

    async def _publish(self, facts: Sequence[Fact], batches: Batches) -> None:
        confirmed = {fact.id for fact in await publish_until_confirmed(self._js, facts)}
        self._published += [key for key, batch in batches.items() if all(fact.id in confirmed for fact in batch)]

    async def delete_published(self) -> int:
        """Removes confirmed batches, many at a time; a crash before it only means that the sweeper repeats them."""
        keys, self._published = self._published[:DELETE_BATCHES], self._published[DELETE_BATCHES:]
        if not keys:
            return 0
        try:
            async with self.pool.acquire() as connection:
                await outbox_rows.delete(connection, keys)
        except BaseException:
            self._published += keys
            raise
        return len(keys)

    async def sweep(self) -> int:
        """Publishes what nobody confirmed for ten seconds; returns how many facts got their ack. Skips what another
        replica is sweeping."""
        return await self._sweep_batches() + await self._sweep_singles()

    async def _sweep_batches(self) -> int:
        async with self.pool.acquire() as connection, connection.transaction():
            batches = await outbox_rows.lock_older(connection, SWEEP_AGE_SECONDS, SWEEP_BATCHES)
            facts = [fact for batch in batches.values() for fact in batch]
            confirmed = {fact.id for fact in await publish_until_confirmed(self._js, facts, seconds=SWEEP_SECONDS)}
            left = {key: [fact for fact in batch if fact.id not in confirmed] for key, batch in batches.items()}
            await outbox_rows.delete(connection, [key for key, batch in left.items() if not batch])
            await outbox_rows.put_behind(connection, {key: batch for key, batch in left.items() if batch})
        return len(confirmed)

    async def _sweep_singles(self) -> int:
        """What a replica of the release before left."""
        async with self.pool.acquire() as connection, connection.transaction():
            facts = await outbox_rows.lock_older_singles(connection, SWEEP_AGE_SECONDS, SWEEP_ROWS)
            confirmed = await publish_until_confirmed(self._js, facts, seconds=SWEEP_SECONDS)
            await outbox_rows.delete_singles(connection, confirmed)
            known = {fact.id for fact in confirmed}
            await outbox_rows.put_singles_behind(connection, [fact for fact in facts if fact.id not in known])
        return len(confirmed)

    async def waiting(self) -> int:
        """Facts that were committed and are not known to be confirmed."""
        async with self.pool.acquire() as connection:
            return await outbox_rows.count(connection)

    async def drain(self) -> None:
        """Waits for what is being published and removes it."""
        if self._publishing:
            await asyncio.wait(self._publishing, timeout=5)
        while await self.delete_published():
            pass
