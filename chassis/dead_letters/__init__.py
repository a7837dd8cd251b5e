"""Facts that could not be taken: kept whole with their reason, listed and replayed by command and by REST.

    python -m chassis.dead_letters list   SERVICE
    python -m chassis.dead_letters replay SERVICE [DURABLE]

The command reads `<SERVICE>_DATABASE_URL` and `NATS_URL` like the service itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import nats
from nats.js import JetStreamContext
from uuid_utils import uuid7

from chassis.bus import publish
from chassis.facts import Fact
from chassis.pool import Connection, Pool, Row, open_pool

Position = tuple[datetime, str, str]  # at, durable, fact id
MOST_BY_COMMAND = 10_000


async def add(
    pool: Pool,
    durable: str,
    subject: str,
    headers: Mapping[str, str],
    payload: bytes,
    *,
    reason: str,
    detail: str,
) -> None:
    """Keeps the fact and marks it as taken, in one transaction, so that a re-delivery does not bury it twice."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into inbox (corp_id, durable, fact_id) values ($1, $2, $3) on conflict do nothing",
            headers.get("corp-id", ""),
            durable,
            _fact_id(headers),
        )
        await bury(connection, durable, subject, headers, payload, reason=reason, detail=detail)


async def bury(
    connection: Connection,
    durable: str,
    subject: str,
    headers: Mapping[str, str],
    payload: bytes,
    *,
    reason: str,
    detail: str,
) -> None:
    """Keeps the fact inside the caller's transaction: for one that decoded well and turned out impossible."""
    await connection.execute(
        "insert into dead_letters (corp_id, durable, fact_id, subject, headers, payload, reason, detail)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (corp_id, durable, fact_id)"
        " do update set reason = excluded.reason, detail = excluded.detail, at = now(), replayed_at = null",
        headers.get("corp-id", ""),
        durable,
        _fact_id(headers),
        subject,
        json.dumps(dict(headers)),
        payload,
        reason,
        detail[:2000],
    )


def _fact_id(headers: Mapping[str, str]) -> str:
    return headers.get("ce-id") or headers.get("Nats-Msg-Id", "")


async def page(
    connection: Connection,
    corp_id: str | None,
    durable: str | None,
    after: Position | None,
    limit: int,
    *,
    only: Iterable[str] | None = None,
) -> Sequence[Row]:
    """Those that wait, oldest first. `corp_id` None: of every corp; `only`: facts of these ids."""
    rows: Sequence[Row] = await connection.fetch(
        "select * from dead_letters where replayed_at is null and ($1::text is null or corp_id = $1)"
        " and ($2::text is null or durable = $2)"
        " and ($3::timestamptz is null or (at, durable, fact_id) > ($3, $4, $5))"
        " and ($6::text[] is null or fact_id = any($6)) order by at, durable, fact_id limit $7",
        corp_id,
        durable,
        *(after or (None, None, None)),
        None if only is None else sorted(only),
        limit,
    )
    return rows


async def get(connection: Connection, corp_id: str, durable: str, fact_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        "select * from dead_letters where corp_id = $1 and durable = $2 and fact_id = $3", corp_id, durable, fact_id
    )
    return row


async def replay(connection: Connection, js: JetStreamContext, rows: Iterable[Row]) -> int:
    """Sends buried facts again under new message ids; only the durable that buried one takes it anew.

    One that somebody else has replayed, or that was buried anew meanwhile, is passed over. Raises Unavailable when one
    is not confirmed; those before it are replayed, it and the rest stay buried.
    """
    return sum([await _replay(connection, js, row) for row in rows])


async def _replay(connection: Connection, js: JetStreamContext, row: Row) -> bool:
    key = (row["corp_id"], row["durable"], row["fact_id"])
    marked = connection.transaction()
    await marked.start()
    try:
        await connection.execute("delete from inbox where corp_id = $1 and durable = $2 and fact_id = $3", *key)
        ours = await connection.fetchval(
            "update dead_letters set replayed_at = now() where corp_id = $1 and durable = $2 and fact_id = $3"
            " and replayed_at is null and at = $4 returning true",
            *key,
            row["at"],
        )
        if not ours:
            await marked.rollback()
            return False
        headers = json.loads(row["headers"])
        # A new one each time: the window of JetStream would swallow what it has seen, even in an attempt that we think
        # has failed. The inbox of every durable still knows ce-id.
        headers["Nats-Msg-Id"] = f"{row['fact_id']}.replay.{uuid7()}"
        await publish(js, Fact(row["fact_id"], row["corp_id"], row["subject"], headers, row["payload"]), timeout=5)
    except BaseException:
        await marked.rollback()
        raise
    await marked.commit()
    return True


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.dead_letters")
    parser.add_argument("action", choices=["list", "replay"])
    parser.add_argument("service")
    parser.add_argument("durable", nargs="?")
    arguments = parser.parse_args()
    pool = await open_pool(os.environ[f"{arguments.service.upper()}_DATABASE_URL"], arguments.service, size=1)
    async with pool, pool.acquire() as connection:
        rows = await page(connection, None, arguments.durable, None, MOST_BY_COMMAND)
        if arguments.action == "list":
            for row in rows:
                shown = {k: row[k] for k in ("corp_id", "durable", "fact_id", "reason", "detail")}
                shown |= {"type": json.loads(row["headers"]).get("ce-type"), "at": row["at"].isoformat()}
                print(json.dumps(shown, ensure_ascii=False))
            return
        connected = await nats.connect(os.environ["NATS_URL"])
        try:
            print(await replay(connection, connected.jetstream(), rows), "replayed")
        finally:
            await connected.close()


if __name__ == "__main__":
    asyncio.run(_main())
