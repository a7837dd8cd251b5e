"""Every process is killed, frozen for longer than every lease, and cut off, while two corps' logs are replayed at once;
every figure is right all the same. Eight seeds over the whole matrix."""

from __future__ import annotations

import pytest
from nats.js.api import AckPolicy

from chassis import bus, durables
from chassis.kernel.streams import STREAMS
from tests.faults.campaign import ACK_WAIT_SECONDS, CELLS, FREEZE_SECONDS, Field, play, spread
from tests.faults.conftest import SEEDS

BUYERS = 200
PER_SECOND = 85.0


async def test_a_freeze_outlasts_the_wait_for_every_ack(ground: Field) -> None:
    connected = await bus.connect(ground.suite.home.nats_url(ground.suite.ports), "tests")
    js = connected.jetstream()
    infos = [await js.consumer_info(stream, name) for stream in STREAMS for name in await durables.names(js, stream)]
    await connected.close()
    waits = {info.config.ack_wait for info in infos if info.config.ack_policy == AckPolicy.EXPLICIT}
    assert waits == {ACK_WAIT_SECONDS}
    assert ACK_WAIT_SECONDS < FREEZE_SECONDS


@pytest.mark.timeout(280)
@pytest.mark.parametrize("part", range(len(SEEDS)), ids=lambda part: f"seed{SEEDS[part]}")
async def test_nothing_is_lost_or_doubled(ground: Field, part: int) -> None:
    corp_ids = ground.corp_ids[2 * part : 2 * part + 2]
    cells = spread(CELLS, len(SEEDS), seed=1)[part]
    windows = await play(ground, corp_ids, cells, SEEDS[part], buyers=BUYERS, per_second=PER_SECOND)
    assert windows.processes == {cell.process for cell in cells} | {"sandbox"}
