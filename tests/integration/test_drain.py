"""A process that is told to stop says so first, answers whoever has not seen it yet, and finishes what it began."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from deploy.local.home import ROOT, Home, Ports
from tests.conftest import Servers, free_port_base
from tests.waiting import until

DRAIN_SECONDS = 3
HEALTH = HealthCheckResponse


@asynccontextmanager
async def running(name: str, home: Home, ports: Ports, told: Mapping[str, str]) -> AsyncIterator[Any]:
    """A process of the house, ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", name,
        cwd=ROOT, env={**os.environ, **home.environment(ports), "BIHUAN_DRAIN_SECONDS": str(DRAIN_SECONDS), **told},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = ports.gateway if name == "gateway" else ports.web(name)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                try:
                    async with client.get("/readyz") as answer:
                        return answer.status == 200
                except aiohttp.ClientConnectionError:
                    assert process.returncode is None
                    return False

            await until(ready, seconds=60)
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_gateway_that_is_told_to_stop_still_takes_what_comes(tmp_path: Path, servers: Servers) -> None:
    home, ports = Home(tmp_path / "home"), Ports(free_port_base())
    home.prepare(ports, empty=True)
    body = b"half of a callback, "
    try:
        async with running("gateway", home, ports, {"NATS_URL": servers.nats_url}) as (process, client):
            # One request that takes longer than the door stays open, and one connection that is kept.
            reader, writer = await asyncio.open_connection("127.0.0.1", ports.gateway)
            writer.write(
                b"POST /mall/nobody/nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (2 * len(body))
            )
            writer.write(body)
            process.send_signal(signal.SIGTERM)

            async def unready() -> bool:
                async with client.get("/readyz") as answer:
                    return answer.status == 503 and answer.headers["Connection"] == "close"

            await until(unready, seconds=DRAIN_SECONDS)
            _, second = await asyncio.open_connection("127.0.0.1", ports.gateway)
            second.close()
            async with client.get("/livez") as answer:
                assert answer.status == 200

            async def refused() -> bool:
                try:
                    (await asyncio.open_connection("127.0.0.1", ports.gateway))[1].close()
                    return False
                except ConnectionRefusedError:
                    return True

            await until(refused)
            assert process.returncode is None
            writer.write(body)
            assert b" 404 " in await asyncio.wait_for(reader.readline(), 5)
            writer.close()
            assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        home.release()


async def test_a_service_that_is_told_to_stop_says_so_and_still_answers(tmp_path: Path, servers: Servers) -> None:
    home, ports = Home(tmp_path / "home"), Ports(free_port_base())
    home.prepare(ports, empty=True)
    admin = await asyncpg.connect(servers.admin_url)
    await admin.execute("create database draining")
    told = {"NATS_URL": servers.nats_url, "COMMERCE_DATABASE_URL": servers.url("draining")}
    try:
        async with running("commerce", home, ports, told) as (process, client):
            async with grpc.aio.insecure_channel(f"127.0.0.1:{ports.grpc('commerce')}") as channel:
                health = HealthStub(channel)
                assert (await health.Check(HealthCheckRequest())).status == HEALTH.SERVING
                process.send_signal(signal.SIGTERM)

                async def says_no() -> bool:
                    return (await health.Check(HealthCheckRequest())).status == HEALTH.NOT_SERVING

                await until(says_no, seconds=DRAIN_SECONDS)
                async with client.get("/readyz") as answer:
                    assert answer.status == 503
                # A caller that comes only now, on a connection of its own.
                async with grpc.aio.insecure_channel(f"127.0.0.1:{ports.grpc('commerce')}") as late:
                    assert (await HealthStub(late).Check(HealthCheckRequest())).status == HEALTH.NOT_SERVING
            assert await asyncio.wait_for(process.wait(), 40) == 0
    finally:
        await admin.execute("drop database draining with (force)")
        await admin.close()
        home.release()
