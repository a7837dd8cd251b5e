"""A cluster of three NATS servers: who is connected to the one that dies goes on at another, and no fact is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bihuan.wecom.v1.facts_pb2 import UnknownEventReceived

from chassis import bus, publishing
from chassis.facts import Fact, new_fact
from tests.cluster import NODES, Cluster, elect, leader
from tests.conftest import CORP
from tests.waiting import until


async def test_a_client_goes_on_when_its_server_dies(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "secret")
    connected = None
    try:
        await cluster.up()
        connected = await bus.connect(cluster.url, "tests")
        js = connected.jetstream()

        async def publish() -> None:
            facts: list[Fact] = [new_fact(UnknownEventReceived(), corp_id=CORP, source="tests") for _ in range(20)]
            confirmed = await publishing.publish_until_confirmed(js, facts)
            # Those of a second attempt come last.
            assert sorted(one.id for one in confirmed) == sorted(one.id for one in facts)

        async def stored() -> int:
            return int((await bus.ask(js, "STREAM.INFO.EDGE", {}))["state"]["messages"])

        await publish()
        # While a new leader is elected, with the old one alive.
        await asyncio.gather(publish(), elect(js, "EDGE"))
        # The server that we are connected to dies.
        cluster.kill(NODES[0])
        await publish()

        async def led_by_another() -> bool:
            return await leader(js, "EDGE") in NODES[1:]

        await until(led_by_another)
        assert await stored() == 60
        # Who starts now knows of the others.
        late = await bus.connect(cluster.every_url, "late")
        assert await leader(late.jetstream(), "EDGE") in NODES[1:]
        await late.close()
    finally:
        if connected is not None:
            await connected.close()
        cluster.down()
