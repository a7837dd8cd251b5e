"""Exports and files as a page uses them: asked for by REST, followed on the stream, fetched through the door."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.e2e.test_rest import call
from tests.waiting import until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40_000
IMAGES = "/api/v1/services/engagement/files?purpose=welcome-image&name=%E6%B5%B7%E6%8A%A5.png"


@asynccontextmanager
async def jobs_on_the_stream(client: Client, suite: Suite) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def follow(answer: aiohttp.ClientResponse) -> None:
        name = ""
        async for raw in answer.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == "job":
                told.put_nowait(json.loads(line.removeprefix("data: ")))

    headers = {"Authorization": f"Bearer {client.token}"}
    async with client.session.get(suite.gateway + "/api/v1/stream", headers=headers) as answer:
        assert answer.status == 200
        following = asyncio.create_task(follow(answer))
        try:
            yield told
        finally:
            following.cancel()


async def ended(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/v1/services/{job['service']}/jobs/{job['jobId']}"

    async def look() -> dict[str, Any] | None:
        now = (await client.get(path))["job"]
        return now if now["state"] not in ("JOB_STATE_QUEUED", "JOB_STATE_RUNNING") else None

    found: dict[str, Any] = await until(look)
    return found


async def fetch(client: Client, suite: Suite, job: dict[str, Any]) -> tuple[int, bytes]:
    address = f"{suite.gateway}/api/v1/services/{job['service']}/files/{job['resultFileId']}"
    async with client.session.get(address, headers={"Authorization": f"Bearer {client.token}"}) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize(("noun", "service", "key"), [("customers", "identity", 0), ("orders", "commerce", 1)])
async def test_a_list_is_exported_as_it_is_shown(
    admin: Client, guide: Client, others: Client, suite: Suite, noun: str, service: str, key: int
) -> None:
    await admin.drained(60)
    name = {"customers": "customerId", "orders": "orderId"}[noun]
    for client in (admin, guide):
        async with jobs_on_the_stream(client, suite) as told:
            job = (await client.post(f"/api/v1/{noun}:export", {"language": "en", "title": "all"}))["job"]
            assert (job["service"], job["state"], job["title"]) == (service, "JOB_STATE_QUEUED", "all")
            done = await ended(client, job)
            assert done["state"] == "JOB_STATE_SUCCEEDED", done
            states = [(await asyncio.wait_for(told.get(), 10))["state"] for _ in range(3)]
            assert states == ["JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"]
        status, content = await fetch(client, suite, done)
        assert status == 200
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        shown = [one[name] async for one in client.each(f"/api/v1/{noun}", noun)]
        assert [line[key] for line in lines[1:]] == shown
        assert (await fetch(others, suite, done))[0] == 404
        listed = (await client.get(f"/api/v1/services/{service}/jobs", mine="true"))["jobs"]
        assert listed[0] == done
    # The guide's is the administrator's to see, and not the other way round.
    assert (await fetch(admin, suite, done))[0] == 200
    mine = (await admin.get(f"/api/v1/services/{service}/jobs", mine="true"))["jobs"][0]
    assert (await fetch(guide, suite, mine))[0] == 404
    assert await guide.status(f"/api/v1/services/{service}/jobs/{mine['jobId']}") == 404
    cancel = f"/api/v1/services/{service}/jobs/{mine['jobId']}:cancel"
    assert (await call(admin, suite, "POST", cancel, {}))[1]["reason"] == "JOB_ENDED"
    assert (await call(others, suite, "POST", cancel, {}))[0] == 404


async def test_nonsense_in_a_filter_is_said_with_its_field(admin: Client, suite: Suite) -> None:
    for body, field in (
        ({"filter": {"customerId": "x"}}, "filter.customerId"),
        ({"filter": {"customer": "x"}}, "filter.customer"),
        ({"language": "fr"}, "language"),
    ):
        status, problem = await call(admin, suite, "POST", "/api/v1/orders:export", body)
        assert (status, problem["field"]) == (400, field)


async def test_an_image_goes_in_and_out(admin: Client, guide: Client, others: Client, suite: Suite) -> None:
    async def send(client: Client, content: Any, address: str = IMAGES) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "image/png"}
        async with client.session.post(suite.gateway + address, data=content, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    status, body = await send(admin, PNG)
    assert status == 200, body
    file = body["file"]
    assert (file["service"], file["contentType"], file["size"]) == ("engagement", "image/png", str(len(PNG)))
    job = {"service": "engagement", "resultFileId": file["fileId"]}
    assert await fetch(admin, suite, job) == (200, PNG)
    assert await fetch(guide, suite, job) == (200, PNG)
    assert (await fetch(others, suite, job))[0] == 404
    assert (await send(admin, b"<script>"))[1]["reason"] == "FILE_TYPE_WRONG"
    assert (await send(guide, PNG))[1]["reason"] == "ROLE_NOT_ALLOWED"
    assert (await send(admin, PNG, IMAGES.replace("engagement", "commerce")))[1]["reason"] == "PURPOSE_UNKNOWN"
    # A page elsewhere writes nothing with our cookie.
    async with admin.session.post(suite.gateway + IMAGES, data=PNG, headers={"Origin": "http://evil"}) as answer:
        assert answer.status == 403
