"""A cluster that elects new leaders again and again, and loses a server, while a log is replayed: nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from unittest.mock import patch

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from chassis import bus
from chassis.kernel.streams import STREAMS
from deploy.local.client import Client, Refused
from deploy.local.home import Home, Ports
from deploy.local.story import Result, replay, set_up
from deploy.local.suite import Suite
from tests.cluster import NODES, Cluster, elect, leader
from tests.conftest import free_port_base
from tests.faults.campaign import PATIENT_ATTEMPTS
from tests.faults.progress import share_sent
from tests.faults.verdict import check_nothing_left, check_told
from tests.waiting import until

PAUSE_SECONDS = 2.0
AWAY_SECONDS = 5.0


class ClusterClient(Client):
    """Asks the leaders what waits, wherever they are."""

    def __init__(self, suite: Suite, corp_id: str, js: JetStreamContext) -> None:
        super().__init__(suite, corp_id)
        self._js = js

    async def consumers(self) -> dict[str, int]:
        found = {}
        try:
            for stream in STREAMS:
                for one in (await bus.ask(self._js, f"CONSUMER.LIST.{stream}", {}))["consumers"]:
                    if one["config"].get("durable_name"):
                        found[one["name"]] = one["num_pending"] + one["num_ack_pending"]
        except (NatsError, asyncio.TimeoutError) as error:
            raise Refused(503, repr(error)) from error
        return found


async def elections(folder: Path, *, seed: int, buyers: int, per_second: float) -> Result:
    """Replays over three servers with every stream on all of them, and checks everything."""
    ports = Ports(free_port_base())
    home = Home(folder / "home")
    home.prepare(ports, empty=True)
    suite = Suite(home, ports)
    cluster = Cluster(folder / "cluster", home.keys["nats"])
    outside = {"NATS_URL": cluster.url, "BIHUAN_STREAM_REPLICAS": str(len(NODES))}
    try:
        await cluster.up()
        with patch.dict(os.environ, outside):
            await asyncio.to_thread(suite.up, empty=False)
        connected = await bus.connect(cluster.url, "elections")
        try:
            async with ClusterClient(suite, home.keys["corp_id"], connected.jetstream()) as client:
                codes = await set_up(client)
                await client.sandbox("/sandbox/faults", {"attempts": PATIENT_ATTEMPTS})
                running = asyncio.create_task(
                    replay(client, codes, buyers=buyers, seed=seed, per_second=per_second, drain_seconds=120)
                )
                await _elect_often(cluster, client, connected.jetstream(), running)
                result = await running
                await check_told(client, result)
                await check_nothing_left(suite)
                return result
        finally:
            await connected.close()
    finally:
        await asyncio.to_thread(suite.down)
        cluster.down()


async def _elect_often(cluster: Cluster, client: Client, js: JetStreamContext, running: asyncio.Task[Result]) -> None:
    """New leaders of every stream every few seconds; half-way the server that leads the door's stream dies."""
    died = False
    while not running.done() and (share := await share_sent(client)) < 0.9:
        if share > 0.4 and not died:
            died = True
            name = await until(lambda: leader(js, "EDGE"))
            await asyncio.to_thread(cluster.kill, name)
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(cluster.start, name)
        for stream in STREAMS:
            with contextlib.suppress(NatsError, asyncio.TimeoutError):  # one is being elected already
                await elect(js, stream)
        await asyncio.sleep(PAUSE_SECONDS)
