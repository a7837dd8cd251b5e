"""The console as the gateway hands it out."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import web
from aiohttp.client import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from gateway import pages
from gateway.request_log import one_line_per_request

Get: TypeAlias = Callable[..., Awaitable[tuple[ClientResponse, bytes]]]
SCRIPT = "export const answer = '四十二'".encode()


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    for name in ("index", "sidebar", "phone"):
        (folder / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "assets" / "index-1a2b.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "secret.txt").write_text("secret")
    return folder


async def opened(folder: Path) -> AsyncIterator[Get]:
    app = web.Application(middlewares=[one_line_per_request])
    pages.add_routes(app, pages.Pages(folder))
    async with TestClient(TestServer(app), auto_decompress=False) as client:

        async def get(path: str, accept: str = "identity", **headers: str) -> tuple[ClientResponse, bytes]:
            url = URL(str(client.make_url("/")).rstrip("/") + path, encoded=True)
            headers["Accept-Encoding"] = accept
            async with client.session.get(url, headers=headers, allow_redirects=False) as answer:
                return answer, await answer.read()

        yield get


@pytest.fixture(name="get")
async def make_get(built: Path) -> AsyncIterator[Get]:
    async for get in opened(built):
        yield get


def title(body: bytes) -> str:
    return body.decode().partition("<title>")[2].partition("</title>")[0]


async def test_every_way_into_the_console_is_its_page(get: Get) -> None:
    for path in ("/console/", "/console/alerts", "/console/channels/42?since=x", "/console/sidebars", "/console/a.b"):
        answer, body = await get(path)
        assert (answer.status, title(body)) == (200, "index"), path
        assert answer.headers["Cache-Control"] == "no-cache"
    assert (await get("/console"))[0].headers["Location"] == "/console/"


@pytest.mark.parametrize("entry", ["sidebar", "phone"])
async def test_sidebar_and_phone_are_pages_of_their_own(get: Get, entry: str) -> None:
    for path in (f"/console/{entry}", f"/console/{entry}/", f"/console/{entry}/customers/1"):
        assert title((await get(path))[1]) == entry, path


async def test_assets_never_change_and_come_packed_to_those_who_take_it(get: Get) -> None:
    plain, body = await get("/console/assets/index-1a2b.js")
    assert (plain.status, body) == (200, SCRIPT)
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in plain.headers["Cache-Control"]
    assert "Content-Encoding" not in plain.headers
    packed, body = await get("/console/assets/index-1a2b.js", "br, gzip;q=0.8")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == SCRIPT
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


async def test_an_asset_that_is_not_there_is_no_page(get: Get) -> None:
    """A browser with the page of the release before must see that its script is gone."""
    answer, body = await get("/console/assets/index-0000.js")
    assert answer.status == 404
    assert b"<title>" not in body


async def test_what_has_not_changed_is_not_sent_again(get: Get) -> None:
    answer, _ = await get("/console/")
    again, body = await get("/console/", **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status, body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "assets/../../secret.txt",
        "assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/etc/passwd",
        "..%5csecret.txt",
        "%00",
    ],
)
async def test_nothing_outside_the_folder_is_read(get: Get, path: str) -> None:
    answer, body = await get("/console/" + path)
    assert b"secret" not in body
    assert b"root:" not in body
    assert answer.status in (200, 400, 404)


async def test_a_page_runs_only_our_own_script_and_is_framed_by_nobody(get: Get) -> None:
    for path in ("/console/", "/console/sidebar", "/console/assets/index-1a2b.js", "/console/favicon.svg"):
        answer, _ = await get(path)
        rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split(";"))
        assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
        assert rules["frame-ancestors"] == rules["object-src"] == rules["base-uri"] == "'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_without_a_build_a_page_says_how_to_make_one(tmp_path: Path) -> None:
    async for get in opened(tmp_path / "nothing"):
        answer, body = await get("/console/alerts")
        assert answer.status == 200
        assert b"make console" in body
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await get("/console/assets/x.js"))[0].status == 404


def test_the_placeholder_runs_under_the_policy() -> None:
    assert "<script" not in pages.NOT_BUILT
    assert "style=" not in pages.NOT_BUILT


def test_entries_are_what_vite_builds() -> None:
    folder = Path(pages.__file__).parent / "console"
    written = (folder / "vite.config.ts").read_text()
    assert all(f"'{entry}'" in written and (folder / entry).is_file() for entry in pages.ENTRIES.values())
