"""Lets a durable take its facts again, from a time on: after its service's database was restored from an old copy, or
its handler was mended.

    python -m chassis.rewind NAME… --since TIME [--forget]
    python -m chassis.rewind NAME… --all        [--forget]

NAME is a durable, or a service for all of its durables. TIME is ISO 8601 with a zone; --all begins with the oldest
fact that the stream still holds. The inbox was restored with its database, so it hides nothing that the copy lacks;
--forget also takes from it what it took since, for a handler that is to see the same facts again. Effects outside do
not happen twice: their rows are keyed by what they are about, and old facts are not fresh. But what is only counted
(unknown events, unread messages) is counted again.

The command reads `NATS_URL`, and for --forget `<SERVICE>_DATABASE_URL`. The service may run meanwhile. It takes a NATS
of 2.14 or newer, which can move a durable and leave its settings as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from nats.js import JetStreamContext

from chassis import bus, durables, inbox
from chassis.kernel.streams import STREAMS
from chassis.pool import open_pool
from chassis.restate import read_time

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
SERVICES = ("acquisition", "commerce", "engagement", "identity")


async def find(js: JetStreamContext, names: Iterable[str]) -> dict[str, str]:
    """Durable → stream, of the durables and services named. Raises LookupError for a name that fits none."""
    known = {name: stream for stream in STREAMS for name in await durables.names(js, stream)}
    found: dict[str, str] = {}
    for name in names:
        fitting = {one for one in known if one == name or (name in SERVICES and one.startswith(f"{name}-"))}
        if not fitting:
            raise LookupError(f"no stream has a durable {name!r}")
        found |= {one: known[one] for one in sorted(fitting)}
    return found


async def rewind(js: JetStreamContext, stream: str, durable: str, since: datetime) -> int:
    """Moves the durable to the stream's first fact at or after `since`; returns how many of its facts are to come."""
    return await durables.move(js, stream, durable, await durables.first_at(js, stream, since))


async def forget(durable: str, since: datetime) -> int:
    """Takes from the inbox of the durable's service what it took since then; returns how many rows."""
    service = durable.partition("-")[0]
    pool = await open_pool(os.environ[f"{service.upper()}_DATABASE_URL"], service, size=1)
    async with pool:
        return await inbox.forget_since(pool, durable, since)


async def _main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.rewind")
    parser.add_argument("name", nargs="+")
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--since", type=read_time)
    start.add_argument("--all", action="store_const", const=BEGINNING, dest="since")
    parser.add_argument("--forget", action="store_true")
    given = parser.parse_args(arguments)
    nats = await bus.connect(os.environ["NATS_URL"], "rewind")
    try:
        js = nats.jetstream()
        try:
            found = await find(js, given.name)
        except LookupError as error:
            parser.error(str(error))
        for durable, stream in found.items():
            forgotten = await forget(durable, given.since) if given.forget else 0
            print(f"{durable}: {await rewind(js, stream, durable, given.since)} facts to come, {forgotten} forgotten")
    finally:
        await nats.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
