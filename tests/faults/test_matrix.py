"""Every process is killed, frozen for longer than every lease, and cut off, while two corps' logs are replayed at once;
every figure is right all the same. Eight seeds over the whole matrix."""

from __future__ import annotations

import pytest

from tests.faults.campaign import CELLS, Field, play, spread
from tests.faults.conftest import SEEDS

BUYERS = 200
PER_SECOND = 85.0


@pytest.mark.timeout(280)
@pytest.mark.parametrize("part", range(len(SEEDS)), ids=lambda part: f"seed{SEEDS[part]}")
async def test_nothing_is_lost_or_doubled(ground: Field, part: int) -> None:
    corp_ids = ground.corp_ids[2 * part : 2 * part + 2]
    cells = spread(CELLS, len(SEEDS), seed=1)[part]
    windows = await play(ground, corp_ids, cells, SEEDS[part], buyers=BUYERS, per_second=PER_SECOND)
    assert windows.processes == {cell.process for cell in cells}
