"""Pictures from outside: from the configured origins only, whole, bounded, and pictures."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from chassis.errors import Precondition, Unavailable
from gateway.pictures import MOST_BYTES, Pictures

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest_asyncio.fixture
async def host() -> AsyncIterator[TestServer]:
    """`asked` counts what came here."""
    bodies = {"code": PNG, "page": b"<script>alert(1)</script>", "large": PNG + bytes(MOST_BYTES)}

    async def show(request: web.Request) -> web.Response:
        host.asked += 1  # type: ignore[attr-defined]
        name = request.match_info["name"]
        if name == "away":
            raise web.HTTPFound("http://169.254.169.254/latest/meta-data")
        if name == "packed":
            return web.Response(body=gzip.compress(PNG), headers={"Content-Encoding": "gzip"})
        if name not in bodies:
            raise web.HTTPNotFound
        return web.Response(body=bodies[name], content_type="image/png")

    app = web.Application()
    app.router.add_get("/{name}", show)
    host = TestServer(app)
    host.asked = 0  # type: ignore[attr-defined]
    async with host:
        yield host


@pytest_asyncio.fixture
async def pictures(host: TestServer) -> AsyncIterator[Pictures]:
    made = Pictures(f"https://wework.qpic.cn http://127.0.0.1:{host.port}")
    yield made
    await made.close()


async def test_a_picture_is_fetched(host: TestServer, pictures: Pictures) -> None:
    fetched = await pictures.fetch(f"http://127.0.0.1:{host.port}/code")
    assert (fetched.content, fetched.content_type) == (PNG, "image/png")


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/code",
        "https://127.0.0.1:{port}/code",
        "http://127.0.0.1/code",
        "http://127.0.0.1:{port}@169.254.169.254/code",
        "http://somebody@127.0.0.1:{port}/code",
        "http://wework.qpic.cn/code",
        "https://wework.qpic.cn.example.com/code",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/code",
        "code",
        "",
        "http://[::1",
    ],
)
async def test_nothing_is_fetched_from_elsewhere(host: TestServer, pictures: Pictures, address: str) -> None:
    with pytest.raises(Precondition) as refused:
        await pictures.fetch(address.format(port=host.port))
    assert refused.value.reason == "PICTURE_ELSEWHERE"
    assert host.asked == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["page", "large", "nothing", "away", "packed"])
async def test_what_is_no_small_picture_does_not_come_through(host: TestServer, pictures: Pictures, name: str) -> None:
    with pytest.raises(Unavailable) as refused:
        await pictures.fetch(f"http://127.0.0.1:{host.port}/{name}")
    assert refused.value.reason == "PICTURE_AWAY"


async def test_a_host_that_is_away_is_said(pictures: Pictures, host: TestServer) -> None:
    address = f"http://127.0.0.1:{host.port}/code"
    await host.close()
    with pytest.raises(Unavailable):
        await pictures.fetch(address)
