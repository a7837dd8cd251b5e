"""One whole suite for all stories and pages: every process, the sandbox, a signed-in administrator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from deploy.local.client import Client
from deploy.local.home import Home, Ports
from deploy.local.story import set_up
from deploy.local.suite import Suite
from tests.conftest import free_port_base


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    running = Suite(Home(tmp_path_factory.mktemp("suite") / "home", corps=2), Ports(free_port_base()))
    try:
        running.up(empty=True)
        yield running
    finally:
        running.down()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def admin(suite: Suite) -> AsyncIterator[Client]:
    """Signed in, with eight channels, eight live codes and a welcome rule."""
    async with Client(suite, suite.home.keys["corp_id"]) as client:
        client.codes = await set_up(client)  # type: ignore[attr-defined]
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guide(suite: Suite, admin: Client) -> AsyncIterator[Client]:
    """An employee of the front line."""
    async with Client(suite, suite.home.keys["corp_id"]) as client:
        await client.sign_in("guide_001")
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def others(suite: Suite) -> AsyncIterator[Client]:
    """The administrator of the second corp."""
    async with Client(suite, suite.home.corps[1]["corp_id"]) as client:
        client.codes = await set_up(client)  # type: ignore[attr-defined]
        yield client
