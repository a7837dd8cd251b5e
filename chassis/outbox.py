"""State and facts change together: facts are rows of the transaction, published right after its commit.

No leader and no NOTIFY: whoever committed publishes from memory; every replica sweeps rows that have stayed longer
than ten seconds, under the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import orjson
from google.protobuf.message import Message
from nats.js import JetStreamContext

from chassis.bus import publish_until_confirmed
from chassis.errors import Unavailable
from chassis.facts import Fact, new_fact
from chassis.pool import Connection, Pool, is_transient

SWEEP_AGE_SECONDS = 10
SWEEP_ROWS = 500
# Inside the transaction that holds the rows.
SWEEP_SECONDS = 3.0
DELETE_ROWS = 500


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
        self._published: list[Fact] = []
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
                        await _insert(connection, tx.facts)
            except Exception as error:
                if connection.is_closed() and not is_transient(error):
                    # Whatever it looks like: what was asked of a connection that died is not at fault.
                    raise Unavailable("STORE_AWAY", repr(error)) from error
                raise
        if tx.facts:
            task = asyncio.create_task(self._publish(tx.facts))
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)

    async def _publish(self, facts: Iterable[Fact]) -> None:
        confirmed = await publish_until_confirmed(self._js, facts)
        self._published += confirmed

    async def delete_published(self) -> int:
        """Removes confirmed rows, many at a time; a crash before it only means that the sweeper repeats them."""
        batch, self._published = self._published[:DELETE_ROWS], self._published[DELETE_ROWS:]
        if not batch:
            return 0
        try:
            await self.pool.execute(
                "delete from outbox where (corp_id, fact_id) in (select * from unnest($1::text[], $2::uuid[]))",
                [fact.corp_id for fact in batch],
                [fact.id for fact in batch],
            )
        except BaseException:
            self._published += batch
            raise
        return len(batch)

    async def sweep(self) -> int:
        """Publishes rows that nobody confirmed for ten seconds. Skips what another replica is sweeping."""
        async with self.pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                "select corp_id, fact_id, subject, headers, payload from outbox"
                " where created_at < now() - make_interval(secs => $1)"
                " order by created_at limit $2 for update skip locked",
                SWEEP_AGE_SECONDS,
                SWEEP_ROWS,
            )
            facts = [
                Fact(r["fact_id"], r["corp_id"], r["subject"], orjson.loads(r["headers"]), r["payload"]) for r in rows
            ]
            confirmed = await publish_until_confirmed(self._js, facts, seconds=SWEEP_SECONDS)
            await connection.execute(
                "delete from outbox where (corp_id, fact_id) in (select * from unnest($1::text[], $2::uuid[]))",
                [fact.corp_id for fact in confirmed],
                [fact.id for fact in confirmed],
            )
            known = {fact.id for fact in confirmed}
            left = [fact for fact in facts if fact.id not in known]
            # Behind the others, so that one that cannot be published does not keep them.
            await connection.execute(
                "update outbox set created_at = now() where (corp_id, fact_id) in"
                " (select * from unnest($1::text[], $2::uuid[]))",
                [fact.corp_id for fact in left],
                [fact.id for fact in left],
            )
        return len(confirmed)

    async def drain(self) -> None:
        """Waits for what is being published and removes it."""
        if self._publishing:
            await asyncio.wait(self._publishing, timeout=5)
        while await self.delete_published():
            pass


async def _insert(connection: Connection, facts: list[Fact]) -> None:
    await connection.execute(
        "insert into outbox (corp_id, fact_id, subject, headers, payload)"
        " select * from unnest($1::text[], $2::uuid[], $3::text[], $4::jsonb[], $5::bytea[])",
        [fact.corp_id for fact in facts],
        [fact.id for fact in facts],
        [fact.subject for fact in facts],
        [orjson.dumps(fact.headers).decode() for fact in facts],
        [fact.payload for fact in facts],
    )
