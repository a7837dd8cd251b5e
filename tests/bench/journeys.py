"""What people wait for, through the whole suite: a welcome, an alert on an open stream, a customer's profile."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import jwt

from deploy.local.client import Client
from deploy.local.story import set_up, sign_in_patiently
from deploy.local.suite import ROOT, Suite
from tests.bench.door import post, run_load, wait_open
from tests.conftest import free_port
from tests.e2e.test_door import sign_for_mall

WELCOME_SECONDS = 60
FAULTS = {
    "seed": 5, "duplicate": 0.1, "reorder": 0.1, "delay": 0.05, "delay_seconds": 1.0, "busy": 0.02, "http_5xx": 0.01,
    "token_expiry": 0.001, "slow": 0.01, "slow_seconds": 1.0,
}  # fmt: skip
ORDERS = 300
ORDER_PAUSE = 0.02
READS = 3000
IN_FLIGHT = (8, 32, 64)


def welcomes(suite: Suite, pace: int) -> dict[str, Any]:
    """Adds at a fixed pace for a minute, WeCom at its worst; from the door to WeCom's confirmation."""
    return asyncio.run(_welcomes(suite, pace))


async def _welcomes(suite: Suite, pace: int) -> dict[str, Any]:
    corp_id = suite.home.corps[1 if pace > 100 else 2]["corp_id"]
    async with Client(suite, corp_id) as client:
        codes = await set_up(client)
        await client.drained(120)
        # One app is told, as in every measurement before.
        await client.sandbox("/sandbox/app", {"corp_id": corp_id, "agent_id": 1000003, "visible": []})
        await client.sandbox("/sandbox/faults", FAULTS)
        since, began, scans = time.time(), time.monotonic(), []
        try:
            for number in range(pace * WELCOME_SECONDS):
                await asyncio.sleep(max(0.0, began + number / pace - time.monotonic()))
                body = {"corp_id": corp_id, "state": codes.states[number % 8], "person": f"bench {number}"}
                scans.append(asyncio.create_task(client.sandbox("/sandbox/scan", body)))
            await asyncio.gather(*scans)
            seconds = time.monotonic() - began
            await client.drained(180)
        finally:
            await client.sandbox("/sandbox/faults", dict.fromkeys(FAULTS, 0))
        calls = [
            call
            for api in ("externalcontact/get", "externalcontact/send_welcome_msg")
            for call in (await client.ask_sandbox("/sandbox/calls", api=api, since=str(since)))["calls"]
        ]
        figures = await client.get("/api/v1/figures/welcomes")
        latencies = (float(figures[name][:-1]) * 1000 for name in ("latencyP50", "latencyP99", "latencyMax"))
        return {
            "row": f"welcome at {pace} adds/s for {WELCOME_SECONDS} s, faults on",
            "unit": "ms p50 / p99 / max",
            "ours": " / ".join(f"{one:.0f}" for one in latencies),
            "all": {
                "sent": int(figures["sent"]),
                "late": int(figures["late"]),
                "refused": int(figures["refused"]),
                "adds a second kept": round(len(scans) / seconds, 1),
                "WeCom calls per add": round(len(calls) / len(scans), 2),
                "faults": FAULTS,
            },
        }


def paid_to_stream(suite: Suite) -> dict[str, Any]:
    """From the mall's push to the event on the employee's open stream, beside publish → commit → publish → SSE."""
    bare_port = free_port()
    bare = subprocess.Popen(
        [
            sys.executable, "-m", "tests.bench.bare_chain", "--port", str(bare_port), "--nats",
            suite.home.nats_url(suite.ports), "--postgres", suite.home.postgres_url(suite.ports, "postgres"),
        ],
        cwd=ROOT,
    )  # fmt: skip
    try:
        wait_open(bare_port)
        return asyncio.run(_paid_to_stream(suite, f"http://127.0.0.1:{bare_port}"))
    finally:
        bare.terminate()
        bare.wait(10)


async def _paid_to_stream(suite: Suite, bare: str) -> dict[str, Any]:
    async with Client(suite, suite.home.keys["corp_id"]) as client:
        codes = await set_up(client)
        body = {"corp_id": client.corp_id, "state": codes.states[1], "userid": "guide_001", "person": "bench buyer"}
        friend = await client.sandbox("/sandbox/scan", body)
        # Known as a buyer before the clock runs, as a returning customer is.
        order = {"corp_id": client.corp_id, "external_userid": friend["external_userid"], "yuan": "1.00"}
        await client.sandbox("/sandbox/order", order)
        await client.drained(60)
        claims = {"corp": client.corp_id, "sub": "guide_001", "aud": "session", "exp": int(time.time()) + 600}
        bearer = {"Authorization": "Bearer " + jwt.encode(claims, suite.home.keys["session"], "HS256")}
        pushes = []
        for number in range(ORDERS):
            raw = paid_order(f"EB{number:08d}", friend["yz_open_ids"][0])
            address, headers = sign_for_mall(suite, raw)
            pushes.append((address, raw, {**headers, "Content-Type": "application/json"}, f"EB{number:08d}"))
        bare_pushes = [(f"{bare}/push", raw, headers, name) for _, raw, headers, name in pushes]
        ceiling = await _latencies(client.session, f"{bare}/stream", {}, bare_pushes)
        ours = await _latencies(client.session, f"{suite.gateway}/api/v1/stream", bearer, pushes)
    p50, bare_p50 = statistics.median(ours), statistics.median(ceiling)
    return {
        "row": "paid webhook → employee's stream",
        "unit": "ms p50 / p99",
        "ours": f"{p50:.1f} / {_p99(ours):.1f}",
        "ceiling": f"{bare_p50:.1f} / {_p99(ceiling):.1f}",
        "ratio": f"{p50 / bare_p50:.2f} ×",
    }


def paid_order(order_id: str, buyer: str) -> bytes:
    """Youzan's push about an order paid now."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600))
    order = {
        "order_info": {"tid": order_id, "created": now, "pay_time": now},
        "pay_info": {"payment": "119.00"},
        "orders": [{"oid": order_id[1:], "item_id": 1, "title": "CD", "num": 1, "payment": "119.00"}],
        "buyer_info": {"yz_open_id": buyer},
    }
    envelope = {
        "kdt_id": 160001, "id": order_id, "type": "trade_TradePaid", "msg": {"full_order_info": order},
        "msg_id": order_id, "version": 1, "test": False,
    }  # fmt: skip
    return json.dumps(envelope).encode()


async def _latencies(
    session: aiohttp.ClientSession,
    stream: str,
    bearer: dict[str, str],
    pushes: Sequence[tuple[str, bytes, dict[str, str], str]],
) -> list[float]:
    """Milliseconds from each push's beginning to the event that names its order; one after another."""
    seen: dict[str, float] = {}
    opened = asyncio.Event()

    async def read() -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        async with session.get(stream, headers=bearer, timeout=timeout) as answer:
            async for line in answer.content:
                opened.set()
                if line.startswith(b"data: {"):
                    alert = json.loads(line[6:])
                    seen.setdefault(alert.get("orderPaid", alert).get("orderId", ""), time.perf_counter())

    reader = asyncio.create_task(read())
    await asyncio.wait_for(opened.wait(), 10)
    found = []
    try:
        for address, raw, headers, name in pushes:
            began = time.perf_counter()
            async with session.post(address, data=raw, headers=headers) as answer:
                answer.raise_for_status()
            while name not in seen:
                if time.perf_counter() - began > 20:
                    raise TimeoutError(name)
                await asyncio.sleep(0.0005)
            found.append((seen[name] - began) * 1000)
            await asyncio.sleep(ORDER_PAUSE)
    finally:
        reader.cancel()
    return found


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def profile_read(suite: Suite) -> dict[str, Any]:
    """GET /api/v1/customers/{id}, distinct customers, beside bare grpc.aio echo calls at the same concurrency."""
    paths, token = asyncio.run(_profiles(suite))
    bearer = {"Authorization": f"Bearer {token}"}
    ours: dict[int, float] = {}
    ceiling: dict[int, float] = {}
    for in_flight in IN_FLIGHT:
        requests = [post(paths[n % len(paths)], b"", bearer).replace(b"POST ", b"GET ", 1) for n in range(READS)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.echo", str(READS), str(in_flight)],
            cwd=ROOT, capture_output=True, check=True, text=True,
        )  # fmt: skip
        ceiling[in_flight] = float(done.stdout)
        ours[in_flight] = run_load(suite.ports.gateway, requests, in_flight)
    best = max(ceiling, key=lambda one: ceiling[one])
    return {
        "row": "REST read of a profile",
        "unit": "reads/s",
        "ours": round(ours[best]),
        "ceiling": round(ceiling[best]),
        "ratio": round(ours[best] / ceiling[best], 3),
        "at": f"{best} in flight",
        "all": {str(one): [round(ours[one]), round(ceiling[one])] for one in IN_FLIGHT},
    }


async def _profiles(suite: Suite) -> tuple[list[str], str]:
    async with Client(suite, suite.home.keys["corp_id"]) as client:
        codes = await set_up_once(client)
        for number in range(200):
            body = {"corp_id": client.corp_id, "state": codes[number % 8], "person": f"reader {number}"}
            await client.sandbox("/sandbox/scan", body)
        await client.drained(60)
        listed = await client.get("/api/v1/customers", pageSize="200")
        return [f"/api/v1/customers/{one['customerId']}" for one in listed["customers"]], client.token


async def set_up_once(client: Client) -> list[str]:
    """States of the first corp's live codes, made when another row has not made them."""
    await sign_in_patiently(client)
    listed = (await client.get("/api/v1/live-codes", pageSize="200"))["liveCodes"]
    return [one["state"] for one in listed] or (await set_up(client)).states
