"""Dead letters and parked corps of a service, by command.

    python -m chassis.dead_letters list    SERVICE [DURABLE] [--corp CORP]
    python -m chassis.dead_letters replay  SERVICE [DURABLE] [--corp CORP]
    python -m chassis.dead_letters parked  SERVICE [DURABLE] [--corp CORP]
    python -m chassis.dead_letters release SERVICE [DURABLE] [--corp CORP]

Reads `<SERVICE>_DATABASE_URL` and `NATS_URL` like the service itself. Without --corp: every corp.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping
from typing import Any

from chassis import bus, dead_letters, parking
from chassis.dead_letters.replay import replay_all
from chassis.pool import Connection, open_pool

PAGE = 1000
SHOWN = ("corp_id", "durable", "fact_id", "reason", "detail", "at")
SHOWN_PARKED = ("corp_id", "durable", "since", "reason", "detail", "kept", "released_at")


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.dead_letters")
    parser.add_argument("action", choices=["list", "replay", "parked", "release"])
    parser.add_argument("service")
    parser.add_argument("durable", nargs="?")
    parser.add_argument("--corp")
    given = parser.parse_args()
    pool = await open_pool(os.environ[f"{given.service.upper()}_DATABASE_URL"], given.service, size=1)
    async with pool, pool.acquire() as connection:
        if given.action == "list":
            await show(connection, given.corp, given.durable)
        elif given.action == "parked":
            for row in await parking.page(connection, given.corp, given.durable):
                line({name: row[name] for name in SHOWN_PARKED})
        elif given.action == "release":
            print(await parking.release(connection, given.corp, given.durable), "released")
        else:
            nats = await bus.connect(os.environ["NATS_URL"], "dead-letters")
            try:
                ended = await replay_all(connection, nats.jetstream(), given.corp, given.durable, seconds=float("inf"))
                print(ended.replayed, "replayed")
            finally:
                await nats.close()


async def show(connection: Connection, corp_id: str | None, durable: str | None) -> None:
    after: dead_letters.Position | None = None
    while rows := await dead_letters.page(connection, corp_id, durable, after, PAGE):
        for row in rows:
            line({name: row[name] for name in SHOWN} | {"type": json.loads(row["headers"]).get("ce-type")})
        after = (rows[-1]["at"], rows[-1]["durable"], rows[-1]["fact_id"])


def line(shown: Mapping[str, Any]) -> None:
    print(json.dumps(shown, ensure_ascii=False, default=lambda value: value.isoformat()))


if __name__ == "__main__":
    asyncio.run(main())
