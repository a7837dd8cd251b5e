"""Files through the door, on a real service and both kinds of store: bounded, checked, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from chassis.blobs import PART_BYTES, Blobs
from chassis.errors import NotFound, Unavailable
from chassis.files import Files
from chassis.kernel import file_servicer
from chassis.kernel.caller import Caller
from chassis.purposes import MIB, Purpose
from chassis.rpc import Server, channel
from chassis.sealing import Sealer
from gateway import app_keys, files
from gateway.request_log import one_line_per_request
from tests.conftest import CORP, Room, free_port
from tests.waiting import until

Rooms = Callable[[str], Any]
OTHER = "ww00000000000000bb"
KEY = "k" * 16
PNG = b"\x89PNG\r\n\x1a\n"
PICTURE = Purpose(
    "picture",
    readers=frozenset({"ANALYST"}),
    uploaders=frozenset({"ADMIN", "OPERATOR"}),
    types=frozenset({"image/png", "image/jpeg"}),
    most_bytes=400 * MIB,
)
SMALL = Purpose(
    "small", uploaders=frozenset({"ADMIN", "FRONTLINE"}), types=frozenset({"image/png"}), most_bytes=10 * MIB
)
ADDRESS = "/api/v1/services/identity/files"


class Door:
    """Whoever the request says they are."""

    async def caller(self, request: web.Request) -> Caller:
        return Caller(*request.headers["who"].split("/"))


@dataclass
class House:
    room: Room
    kept: Files
    server: TestServer
    client: ClientSession
    folder: Path

    async def send(
        self,
        content: Any,
        *,
        who: str = f"{CORP}/boss/ADMIN",
        purpose: str = "picture",
        name: str = "海报.png",
        **more: Any,
    ) -> tuple[int, dict[str, Any]]:
        query = {"purpose": purpose, "name": name, **more}
        async with self.client.post(
            self.server.make_url(ADDRESS), params=query, data=content, headers={"who": who}
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, file_id: str, who: str = f"{CORP}/boss/ADMIN", **headers: str) -> tuple[int, Any, bytes]:
        address = self.server.make_url(f"{ADDRESS}/{file_id}")
        async with self.client.get(address, headers={"who": who, **headers}) as answer:
            return answer.status, answer.headers, await answer.read()

    def objects(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]

    async def is_empty(self) -> bool:
        return not self.objects() and not await self.room.rows("select 1 from files")

    def connect(self, head: str) -> socket.socket:
        """A bare connection, with the request's head sent."""
        opened = socket.create_connection((self.server.host, self.server.port))
        lines = (f"POST {ADDRESS}?purpose=small&name=x HTTP/1.1", "Host: x", f"who: {CORP}/boss/ADMIN", head, "", "")
        opened.sendall("\r\n".join(lines).encode())
        return opened


@asynccontextmanager
async def house(rooms: Rooms, sealer: Sealer, folder: Path, url: str = "") -> AsyncIterator[House]:
    async with rooms("identity") as room:
        kept = Files(room.pool, Blobs(url or folder.as_uri(), "identity", sealer), sealer)
        kept.add(PICTURE)
        kept.add(SMALL)
        service = Server(KEY, "127.0.0.1", 0)
        service.add(file_servicer.register, file_servicer.FileServicer("identity", kept))
        await service.start()
        app = web.Application(middlewares=[one_line_per_request], client_max_size=MIB)
        app[app_keys.DOORKEEPER] = Door()  # type: ignore[assignment]
        app[app_keys.SETTINGS] = SimpleNamespace(service_key=KEY)  # type: ignore[assignment]
        async with channel(f"127.0.0.1:{service.port}") as opened, ClientSession() as client:
            files.add_routes(app, {"identity": opened})
            async with TestServer(app) as server:
                yield House(room, kept, server, client, folder)
        await service.stop()


def picture(size: int) -> bytes:
    return PNG + os.urandom(size - len(PNG))


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that speaks S3, over a folder of its own."""
    (tmp_path / "s3/bucket").mkdir(parents=True)
    port = free_port()
    command = ["rclone", "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "bihuankey,bihuansecret"]
    server = subprocess.Popen([*command, "--config", os.devnull, str(tmp_path / "s3")], stderr=subprocess.DEVNULL)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "bihuankey",
        "AWS_SECRET_ACCESS_KEY": "bihuansecret",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        yield f"s3://bucket/bihuan?{port}"
    finally:
        server.kill()
        server.wait()


async def answers(url: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", int(url.partition("?")[2])), timeout=1):
            return True
    except OSError:
        return False


async def test_a_file_goes_in_and_comes_out(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    content = picture(2 * PART_BYTES + 77)
    async with house(rooms, sealer, tmp_path) as at:
        status, body = await at.send(content)
        assert status == 200, body
        file = body["file"]
        digest = hashlib.sha256(content).hexdigest()
        assert (file["name"], file["contentType"], file["size"]) == ("海报.png", "image/png", str(len(content)))
        assert (file["sha256"], file["purpose"], file["createdBy"]) == (digest, "picture", "boss")
        status, headers, found = await at.get(file["fileId"])
        assert (status, found) == (200, content)
        assert headers["Content-Type"] == "image/png"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Disposition"].startswith("attachment; ")
        assert "filename*=UTF-8''%E6%B5%B7%E6%8A%A5.png" in headers["Content-Disposition"]
        assert headers["Content-Length"] == str(len(content))
        assert (await at.get(file["fileId"], **{"If-None-Match": headers["ETag"]}))[0] == 304
        assert len(at.objects()) == 3
        assert not any(content[1000:1032] in one.read_bytes() for one in at.objects()), "sealed"
        assert "海报" not in str(await at.room.rows("select * from files"))


async def test_it_goes_to_s3_and_comes_from_there(rooms: Rooms, sealer: Sealer, tmp_path: Path, s3: str) -> None:
    await until(lambda: answers(s3))
    content = picture(PART_BYTES + 5)
    async with house(rooms, sealer, tmp_path / "s3/bucket", s3.partition("?")[0]) as at:
        status, body = await at.send(content)
        assert status == 200, body
        assert len(at.objects()) == 2
        assert (await at.get(body["file"]["fileId"]))[2] == content
        await at.room.pool.execute("update files set expires_at = now() - interval '1 second'")
        assert (await at.get(body["file"]["fileId"]))[0] == 404
        assert await at.kept.sweep() == 1
        assert await at.is_empty()


async def test_a_store_that_is_away_is_said_and_nothing_stays(
    rooms: Rooms, sealer: Sealer, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    async with house(rooms, sealer, tmp_path / "s3/bucket", s3.partition("?")[0]) as at:
        status, body = await at.send(picture(1000))
        assert (status, body["reason"]) == (503, "FILES_AWAY")
        with pytest.raises(Unavailable):
            await at.kept.blobs.get(CORP, "x", 0, "y")


@pytest.mark.parametrize(
    ("content", "query", "status", "reason", "field"),
    [
        (b"<html>", {}, 400, "FILE_TYPE_WRONG", "body"),
        (b"GIF89a" + b"x" * 100, {"name": "a.png"}, 400, "FILE_TYPE_WRONG", "body"),
        (b"", {}, 400, "FILE_EMPTY", "body"),
        (PNG, {"purpose": "unknown"}, 400, "PURPOSE_UNKNOWN", "purpose"),
        (PNG, {"purpose": "job-result"}, 400, "PURPOSE_UNKNOWN", "purpose"),
        (PNG, {"name": ""}, 400, "FIELD_WRONG", "name"),
        (PNG, {"name": "n" * 201}, 400, "TEXT_LENGTH_WRONG", "name"),
        (PNG, {"more": "1"}, 400, "FIELD_UNKNOWN", "more"),
        (PNG + b"x" * 10 * MIB, {"purpose": "small"}, 413, "FILE_TOO_LARGE", "body"),
        (PNG, {"who": f"{CORP}/anna/FRONTLINE"}, 403, "ROLE_NOT_ALLOWED", "purpose"),
        (PNG, {"who": f"{CORP}/ida/ANALYST"}, 403, "ROLE_NOT_ALLOWED", ""),
    ],
)
async def test_what_is_wrong_is_said_and_changes_nothing(
    rooms: Rooms, sealer: Sealer, tmp_path: Path, content: bytes, query: dict[str, str], status: int, reason: str,
    field: str,
) -> None:  # fmt: skip
    async with house(rooms, sealer, tmp_path) as at:
        answered, body = await at.send(content, **query)
        assert (answered, body["reason"], body.get("field", "")) == (status, reason, field)
        assert await at.is_empty()


async def test_two_gigabytes_are_refused_before_they_come(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with house(rooms, sealer, tmp_path) as at:
        announced = await asyncio.to_thread(at.connect, f"Content-Length: {2 * 1024 * MIB}")
        first = await asyncio.to_thread(announced.recv, 4096)
        assert b" 413 " in first.split(b"\r\n")[0]
        announced.close()
        assert await at.is_empty()


async def test_two_gigabytes_in_chunks_are_cut_at_the_bound(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with house(rooms, sealer, tmp_path) as at:
        piece = b"%x\r\n" % MIB + PNG + b"\0" * (MIB - len(PNG)) + b"\r\n"

        def pour() -> tuple[int, bytes]:
            """How many MiB went in before the answer came."""
            opened = at.connect("Transfer-Encoding: chunked")
            for sent in range(2048):
                opened.setblocking(False)
                try:
                    return sent, opened.recv(4096)
                except BlockingIOError:
                    opened.setblocking(True)
                opened.sendall(piece)
            return 2048, b""

        sent, answer = await asyncio.to_thread(pour)
        assert b" 413 " in answer.split(b"\r\n")[0]
        assert sent < 100  # what the sockets and the calls between hold comes on top of the ten
        assert await until(at.is_empty)


@pytest.mark.parametrize("head", ["Content-Length: 9000000", "Transfer-Encoding: chunked"])
async def test_cut_in_the_middle_it_leaves_nothing_behind(
    rooms: Rooms, sealer: Sealer, tmp_path: Path, head: str
) -> None:
    async with house(rooms, sealer, tmp_path) as at:
        half = PNG + b"\0" * (6 * MIB - len(PNG))

        def begin() -> socket.socket:
            opened = at.connect(head)
            opened.sendall(half if "Length" in head else b"%x\r\n%b\r\n" % (len(half), half))
            return opened

        opened = await asyncio.to_thread(begin)
        await until(at.objects)  # it is under way
        opened.close()
        assert await until(at.is_empty)


async def test_a_service_that_dies_in_the_middle_leaves_it_to_the_sweeper(
    rooms: Rooms, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(rooms, sealer, tmp_path) as at:

        async def killed(*_: Any) -> None:
            """As if the process were gone by then."""

        monkeypatch.setattr(at.kept, "_forget", killed)
        opened = await asyncio.to_thread(at.connect, "Content-Length: 9000000")
        await asyncio.to_thread(opened.sendall, PNG + b"\0" * (6 * MIB))
        await until(at.objects)
        opened.close()
        ((file_id,),) = [tuple(row.values()) for row in await at.room.rows("select file_id from files")]
        assert (await at.get(str(file_id)))[0] == 404, "it is not whole"
        assert await at.kept.sweep() == 0, "it may still become so"
        await at.room.pool.execute("update files set expires_at = now() - interval '1 second'")
        assert await at.kept.sweep() == 1
        assert await at.is_empty()


async def test_who_sees_it(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with house(rooms, sealer, tmp_path) as at:
        _, body = await at.send(picture(100), who=f"{CORP}/olga/OPERATOR")
        shared = body["file"]["fileId"]
        _, body = await at.send(picture(100), who=f"{CORP}/anna/FRONTLINE", purpose="small")
        own = body["file"]["fileId"]
        for who, file_id, status in (
            ("olga/OPERATOR", shared, 200),
            ("boss/ADMIN", shared, 200),
            ("ida/ANALYST", shared, 200),
            ("anna/FRONTLINE", shared, 404),
            ("anna/FRONTLINE", own, 200),
            ("boss/ADMIN", own, 200),
            ("bob/FRONTLINE", own, 404),
            ("ida/ANALYST", own, 404),
            ("anna/MANAGER", own, 404),  # what she brought as somebody else
        ):
            assert (await at.get(file_id, f"{CORP}/{who}"))[0] == status, who
        for file_id in (shared, own):
            assert (await at.get(file_id, f"{OTHER}/boss/ADMIN"))[0] == 404
        assert (await at.get("x"))[0] == 400
        address = at.server.make_url("/api/v1/services/nobody/files/x")
        async with at.client.get(address, headers={"who": f"{CORP}/boss/ADMIN"}) as answer:
            assert answer.status == 404


async def test_a_large_file_is_never_held_whole(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    """Client, gateway and service are this one process: together they hold less than a quarter of the file."""
    size = 256
    block = os.urandom(MIB)

    async def content() -> AsyncIterator[bytes]:
        yield PNG
        for _ in range(size):
            yield block

    async with house(rooms, sealer, tmp_path) as at:
        for _ in range(2):
            await at.send(picture(MIB))  # everything that is loaded once is there
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, psutil.Process().memory_info().rss)
                await asyncio.sleep(0.02)

        before = psutil.Process().memory_info().rss
        watching = asyncio.create_task(watch())
        status, body = await at.send(content())
        assert status == 200, body
        digest = hashlib.sha256()
        address = at.server.make_url(f"{ADDRESS}/{body['file']['fileId']}")
        async with at.client.get(address, headers={"who": f"{CORP}/boss/ADMIN"}) as answer:
            async for piece in answer.content.iter_any():
                digest.update(piece)
        watching.cancel()
        assert digest.hexdigest() == body["file"]["sha256"]
        assert most - before < size * MIB / 4


async def test_a_part_that_was_changed_is_not_served_as_the_file(rooms: Rooms, sealer: Sealer, tmp_path: Path) -> None:
    async with house(rooms, sealer, tmp_path) as at:
        _, body = await at.send(picture(2 * PART_BYTES))
        first, second = sorted(at.objects())
        second.write_bytes(first.read_bytes())  # sealed by us, for another place
        with pytest.raises(Exception, match=r"(?i)not enough data|reset|disconnected|payload"):
            await at.get(body["file"]["fileId"])


async def test_a_file_of_a_purpose_that_only_a_later_release_knows(
    rooms: Rooms, sealer: Sealer, tmp_path: Path
) -> None:
    async with house(rooms, sealer, tmp_path) as at:
        _, body = await at.send(picture(100), who=f"{CORP}/olga/OPERATOR")
        await at.room.pool.execute("update files set purpose = 'later'")
        file_id = body["file"]["fileId"]
        await at.kept.find(Caller(CORP, "olga", "OPERATOR"), file_id)
        with pytest.raises(NotFound):
            await at.kept.find(Caller(CORP, "ida", "ANALYST"), file_id)
