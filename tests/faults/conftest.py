from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.campaign import Field

SEEDS = (7, 11, 13, 17)  # each for two replays


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    """Two of everything and cuttable wires; two corps for each seed of the matrix, and three for the rest."""
    made = Field(Path(tmp_path_factory.mktemp("field")), corps=2 * len(SEEDS) + 3)
    try:
        made.up()
        yield made
    finally:
        made.down()
