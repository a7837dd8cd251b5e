"""Gives dead letters to whatever could not handle them, once more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass

from nats.js import JetStreamContext
from uuid_utils import uuid7

from chassis import dead_letters, scheduled_letters, work_queue
from chassis.facts import FOR_DURABLE, Fact
from chassis.pool import Connection, Row
from chassis.publishing import publish

PAGE = 200


@dataclass(frozen=True, slots=True)
class Replayed:
    replayed: int
    # Of those that waited when it began.
    remaining: int


async def replay_all(
    connection: Connection,
    js: JetStreamContext,
    corp_id: str | None,
    durable: str | None,
    *,
    only: Iterable[str] | None = None,
    seconds: float,
) -> Replayed:
    """Replays, oldest first, until all are done or `seconds` are over. One that comes back is not replayed twice."""
    give_up_at = asyncio.get_running_loop().time() + seconds
    until = await connection.fetchval("select now()")
    after: dead_letters.Position | None = None
    wanted, done = None if only is None else sorted(only), 0
    while asyncio.get_running_loop().time() < give_up_at:
        rows = await dead_letters.page(connection, corp_id, durable, after, PAGE, only=wanted, until=until)
        for row in rows:
            done += await _replay(connection, js, row)
            after = (row["at"], row["durable"], row["fact_id"])
            if asyncio.get_running_loop().time() > give_up_at:
                break
        else:
            if len(rows) < PAGE:
                return Replayed(done, 0)
    return Replayed(done, await dead_letters.count(connection, corp_id, durable, until, only=wanted))


async def replay(connection: Connection, js: JetStreamContext, rows: Iterable[Row]) -> int:
    """Replays these letters.

    One that somebody else has replayed, or that came back meanwhile, is passed over. Raises Unavailable when a fact is
    not confirmed; those before it are replayed, it and the rest still wait.
    """
    return sum([await _replay(connection, js, row) for row in rows])


async def _replay(connection: Connection, js: JetStreamContext, row: Row) -> bool:
    async with connection.transaction():
        ours = await connection.fetchval(
            """
            update dead_letters
            set replayed_at = now(), outcome = 'REPLAYED'
            where (corp_id, durable, fact_id) = ($1, $2, $3) and replayed_at is null and at = $4
            returning true
            """,
            row["corp_id"],
            row["durable"],
            row["fact_id"],
            row["at"],
        )
        if not ours:
            return False
        if row["subject"].startswith(scheduled_letters.SUBJECT):
            await scheduled_letters.revive(connection, row)
        elif row["subject"].startswith(work_queue.SUBJECT):
            await work_queue.put_back(connection, row)
        else:
            await _send_again(connection, js, row)
    return True


async def _send_again(connection: Connection, js: JetStreamContext, row: Row) -> None:
    """Only the durable that could not take the fact takes it anew: the fact names whom it is for."""
    await connection.execute(
        """
        delete from inbox
        where (corp_id, durable, fact_id) = ($1, $2, $3)
        """,
        row["corp_id"],
        row["durable"],
        row["fact_id"],
    )
    headers = json.loads(row["headers"])
    headers[FOR_DURABLE] = row["durable"]
    # A new one each time: JetStream passes over message ids that it has seen, those of failed attempts too.
    headers["Nats-Msg-Id"] = f"{row['fact_id']}.replay.{uuid7()}"
    await publish(js, Fact(row["fact_id"], row["corp_id"], row["subject"], headers, row["payload"]), timeout=5)
