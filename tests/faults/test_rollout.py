"""The release that landed before runs beside this one on the same servers, under load, started before it and after it,
and is restarted in the middle: nothing is lost, doubled or dead-lettered, and every figure is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.home import Home, Ports
from deploy.local.suite import Suite
from tests.conftest import free_port_base
from tests.faults.release import check_out
from tests.faults.rollout import roll_out


@pytest.fixture(scope="module")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_out(tmp_path_factory.mktemp("release"))


@pytest.mark.timeout(280)
@pytest.mark.parametrize("old_first", [True, False], ids=["rolled-out", "started-after"])
async def test_two_releases_run_beside_each_other(tmp_path: Path, release_before: Path, old_first: bool) -> None:
    suite = Suite(Home(tmp_path / "home"), Ports(free_port_base()), replicas=2)
    try:
        result = await roll_out(suite, release_before, old_first=old_first, seed=5, buyers=100, per_second=60)
        assert result.replay["sent"] == result.replay["total"]
    finally:
        suite.down()
