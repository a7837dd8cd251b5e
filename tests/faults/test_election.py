"""Three NATS servers elect leaders, and one of them dies, under load: every figure is right, nothing is given up,
and no welcome is late."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.election import elections


@pytest.mark.timeout(200)
async def test_nobody_notices_an_election(tmp_path: Path) -> None:
    result = await elections(tmp_path, seed=3, buyers=100, per_second=70)
    assert result.replay["sent"] == result.replay["total"]
