"""An owner states its projections anew, for a service that is new, or whose database was restored from an old copy.

    python -m chassis.restate SERVICE [--corp CORP] [--since TIME]

TIME is ISO 8601 with a zone: only what has something newer in it is stated. The command reads `<SERVICE>_DATABASE_URL`
and `NATS_URL` like the service itself, which may go on working beside it. Facts are stated under ids of their own and
the versions they have: who lacks them takes them, who has them sees nothing new in them. Nothing that acts outside
follows from them (`<service>/restate.py` leaves out what it could act with).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from chassis import bus
from chassis.logs import configure, log
from chassis.outbox import Outbox, Tx
from chassis.pool import open_pool

# How many rows a page looks at; it need not state all of them.
PAGE = 500
# The last key that a page has looked at, in the order of the table's key after the corp; empty before the first.
Position: TypeAlias = tuple[Any, ...]
# (transaction, corp, position, since) → the position after it, or None when nothing is left.
Page: TypeAlias = Callable[[Tx, str, Position, datetime | None], Awaitable[Position | None]]


@dataclass(frozen=True)
class Restatement:
    """One kind of fact and the table whose rows it states; `page` publishes those of one page through its `tx`."""

    fact: str
    table: str
    page: Page


async def restate(
    outbox: Outbox, what: Iterable[Restatement], *, corp_id: str | None = None, since: datetime | None = None
) -> dict[str, int]:
    """Returns how many facts of each kind were stated. One page at a time is on its way to JetStream; what is not
    confirmed in time is left to the service's sweeper."""
    stated: dict[str, int] = {}
    for one in what:
        stated.setdefault(one.fact, 0)
        corp = corp_id or await _corp_after(outbox, one.table, "")
        while corp is not None:
            position: Position | None = ()
            while position is not None:
                async with outbox.transaction() as tx:
                    position = await one.page(tx, corp, position, since)
                await outbox.drain()
                stated[one.fact] += len(tx.facts)
            log.info("restated", fact=one.fact, corp_id=corp, so_far=stated[one.fact])
            corp = await _corp_after(outbox, one.table, corp) if corp_id is None else None
    return stated


async def _corp_after(outbox: Outbox, table: str, corp_id: str) -> str | None:
    found: str | None = await outbox.pool.fetchval(f"select min(corp_id) from {table} where corp_id > $1", corp_id)
    return found


def read_time(text: str) -> datetime:
    """A time from the command line. Raises ArgumentTypeError when it is none, or has no zone."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time with its zone, as 2026-11-25T08:00:00+08:00")
    return read


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.restate")
    parser.add_argument("service", choices=["acquisition", "commerce", "identity"])
    parser.add_argument("--corp")
    parser.add_argument("--since", type=read_time)
    given = parser.parse_args()
    configure(f"restate-{given.service}", "INFO")
    what = importlib.import_module(f"{given.service}.restate").RESTATEMENTS
    pool = await open_pool(os.environ[f"{given.service.upper()}_DATABASE_URL"], given.service, size=2)
    async with pool:
        nats = await bus.connect(os.environ["NATS_URL"], f"restate-{given.service}")
        try:
            outbox = Outbox(pool, nats.jetstream(), given.service)
            print(await restate(outbox, what, corp_id=given.corp, since=given.since))
        finally:
            await nats.close()


if __name__ == "__main__":
    asyncio.run(_main())
