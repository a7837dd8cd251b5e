"""Facts that could not be taken: kept whole with their reason, listed and replayed by command.

    python -m chassis.dead_letters list   SERVICE
    python -m chassis.dead_letters replay SERVICE [DURABLE]

The command reads `<SERVICE>_DATABASE_URL` and `NATS_URL` like the service itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping

import nats

from chassis.bus import publish
from chassis.facts import Fact
from chassis.pool import Connection, Pool, open_pool


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


async def replay(connection: Connection, js: nats.js.JetStreamContext, durable: str | None) -> int:
    """Sends every buried fact again under a new message id; only the durable that buried it takes it anew."""
    rows = await connection.fetch(
        "select * from dead_letters where replayed_at is null and ($1::text is null or durable = $1) order by at",
        durable,
    )
    for row in rows:
        async with connection.transaction():
            await connection.execute(
                "delete from inbox where corp_id = $1 and durable = $2 and fact_id = $3",
                row["corp_id"],
                row["durable"],
                row["fact_id"],
            )
            await connection.execute(
                "update dead_letters set replayed_at = now() where corp_id = $1 and durable = $2 and fact_id = $3",
                row["corp_id"],
                row["durable"],
                row["fact_id"],
            )
            headers = json.loads(row["headers"])
            # The window of JetStream would swallow the old id; the inbox of every other durable still knows ce-id.
            headers["Nats-Msg-Id"] = f"{row['fact_id']}.replay.{row['at'].timestamp()}"
            await publish(js, Fact(row["fact_id"], row["corp_id"], row["subject"], headers, row["payload"]), timeout=5)
    return len(rows)


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.dead_letters")
    parser.add_argument("action", choices=["list", "replay"])
    parser.add_argument("service")
    parser.add_argument("durable", nargs="?")
    arguments = parser.parse_args()
    pool = await open_pool(os.environ[f"{arguments.service.upper()}_DATABASE_URL"], arguments.service, size=1)
    async with pool, pool.acquire() as connection:
        if arguments.action == "list":
            for row in await connection.fetch("select * from dead_letters where replayed_at is null order by at"):
                print(
                    json.dumps(
                        {k: row[k] for k in ("corp_id", "durable", "fact_id", "reason", "detail")}
                        | {"type": json.loads(row["headers"]).get("ce-type"), "at": row["at"].isoformat()},
                        ensure_ascii=False,
                    )
                )
            return
        connected = await nats.connect(os.environ["NATS_URL"])
        try:
            print(await replay(connection, connected.jetstream(), arguments.durable), "replayed")
        finally:
            await connected.close()


if __name__ == "__main__":
    asyncio.run(_main())
