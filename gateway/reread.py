"""Reads archived mall messages anew with today's adapters and states what they now say.

    python -m gateway.reread --corp CORP [--mall MALL] [--kind KIND] --since 2026-11-01T00:00:00+08:00

Run it after a release that reads more: a new kind, a field more. What was known changes nothing, however often it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict

from chassis import bus, logs
from chassis.kernel.corps import Corps
from chassis.kernel.identifiers import Identifiers
from chassis.restate import read_time
from chassis.sealing import Sealer
from chassis.settings import Settings
from gateway.edge import Edge
from gateway.mall.archive import Reread, Wanted, reread


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway.reread", description="Read archived mall messages anew.")
    parser.add_argument("--corp", required=True)
    parser.add_argument("--mall", default="", help="the mall's id in the corps file; all without it")
    parser.add_argument("--kind", default="", help="the mall's own name of the kind; all without it")
    parser.add_argument("--since", required=True, type=read_time, help="when a message arrived, with a zone")
    return parser.parse_args(arguments)


async def main(settings: Settings, asked: argparse.Namespace) -> Reread:
    corp = Corps.load(settings.corps_file).get(asked.corp)
    sealer = Sealer(settings.data_keys)
    nats = await bus.connect(settings.nats_url, "gateway-reread")
    try:
        edge = Edge(nats.jetstream(), sealer, Identifiers(settings.index_key, sealer))
        wanted = Wanted(corp, asked.since, mall_id=asked.mall, kind=asked.kind)
        return await reread(nats.jetstream(), edge, wanted)
    finally:
        await nats.close()


if __name__ == "__main__":
    given = parse()
    read = Settings()  # type: ignore[call-arg]  # from the environment
    logs.configure("gateway", read.log_level)
    print(json.dumps(asdict(asyncio.run(main(read, given)))))
