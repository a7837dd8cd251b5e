"""Rows: callback ingest, welcome latency at 100 adds a second, idle memory. Writes bench.json.

Logs, metrics and sealing are on; payloads are distinct; a row's ceiling runs in the same minute on the same NATS, at
the same concurrency, and counts with its best of three concurrencies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import platform
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import psutil
from rich.console import Console
from rich.table import Table
from wechatpy.work.crypto import WeChatCrypto

from deploy.local.client import Client
from deploy.local.home import Home, Ports
from deploy.local.story import set_up
from deploy.local.suite import ROOT, Suite
from tests.conftest import free_port_base

CALLBACKS = 6000
IN_FLIGHT = (16, 64, 256)
ROUNDS = 2
ADDS_PER_SECOND = 100
ADD_SECONDS = 30
EVENT = (
    "<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[msg_audit_approved]]></ChangeType>"
    "<UserID><![CDATA[guide_001]]></UserID><ExternalUserID><![CDATA[wmBENCH{number:024d}]]></ExternalUserID></xml>"
)


def callback_requests(keys: dict[str, str], offset: int) -> list[bytes]:
    """Whole HTTP requests, every one another event."""
    crypto = WeChatCrypto(keys["callback_token"], keys["callback_aes_key"], keys["corp_id"])
    requests = []
    for number in range(offset, offset + CALLBACKS):
        stamp = str(int(time.time()))
        plain = EVENT.format(corp=keys["corp_id"], at=stamp, number=number)
        envelope = crypto.encrypt_message(plain, f"n{number}", stamp)
        signature = envelope.split("<MsgSignature><![CDATA[", 1)[1].split("]]>", 1)[0]
        query = urllib.parse.urlencode({"msg_signature": signature, "timestamp": stamp, "nonce": f"n{number}"})
        body = envelope.encode()
        head = (
            f"POST /wecom/callback/{keys['corp_id']}/1000002?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


def to_root(request: bytes) -> bytes:
    """The same request for the bare handler."""
    _, rest = request.split(b" HTTP/1.1\r\n", 1)
    return b"POST / HTTP/1.1\r\n" + rest


def run_load(port: int, requests: list[bytes], in_flight: int) -> float:
    """Requests a second, all of them answered 200."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(struct.pack(">I", len(one)) + one for one in requests))
        file.flush()
        command = [sys.executable, "-m", "tests.bench.load", str(port), file.name, str(in_flight)]
        done = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)
    if done["good"] != len(requests):
        raise RuntimeError(f"{len(requests) - done['good']} of {len(requests)} requests failed")
    return float(len(requests) / done["seconds"])


def wait_open(port: int) -> None:
    """Returns when somebody listens. Raises OSError after ten seconds."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise OSError(f"nobody listens on {port}")


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def make_bare_stream(suite: Suite) -> None:
    connected = await nats.connect(suite.home.nats_url(suite.ports))
    await connected.jetstream().add_stream(name="BARE", subjects=["bare.>"], duplicate_window=600)
    await connected.close()


def callback_ingest(suite: Suite) -> dict[str, Any]:
    """The gateway beside the bare handler, in turns. Identity is stopped: its consuming is another row's business."""
    suite.stop("identity")
    asyncio.run(make_bare_stream(suite))
    bare_port = suite.ports.base + 15
    command = [sys.executable, "-m", "tests.bench.bare", "--port", str(bare_port)]
    bare = subprocess.Popen([*command, "--nats", suite.home.nats_url(suite.ports)], cwd=ROOT)
    try:
        keys, offset = suite.home.keys, 0
        ours: dict[int, float] = dict.fromkeys(IN_FLIGHT, 0.0)
        ceiling: dict[int, float] = dict.fromkeys(IN_FLIGHT, 0.0)
        spent, sent = 0.0, 0
        wait_open(bare_port)
        for in_flight in IN_FLIGHT * ROUNDS:
            requests = callback_requests(keys, offset)
            offset += CALLBACKS
            ceiling[in_flight] = max(ceiling[in_flight], run_load(bare_port, [to_root(r) for r in requests], in_flight))
            before = cpu_seconds(suite.pids()["gateway"])
            ours[in_flight] = max(ours[in_flight], run_load(suite.ports.gateway, requests, in_flight))
            spent, sent = spent + cpu_seconds(suite.pids()["gateway"]) - before, sent + len(requests)
        best = max(ceiling, key=lambda one: ceiling[one])
        return {
            "row": "callback ingest",
            "unit": "callbacks/s",
            "ours": round(ours[best]),
            "ceiling": round(ceiling[best]),
            "ratio": round(ours[best] / ceiling[best], 3),
            "cpu_us_per_item": round(spent / sent * 1e6),
            "at": f"{best} in flight",
            "all": {str(one): [round(ours[one]), round(ceiling[one])] for one in IN_FLIGHT},
        }
    finally:
        bare.terminate()
        bare.wait(10)
        suite.start("identity")


async def welcomes(suite: Suite) -> dict[str, Any]:
    """Adds at a fixed pace, from the door to WeCom's confirmation."""
    async with Client(suite, suite.home.keys["corp_id"]) as client:
        codes = await set_up(client)
        await client.drained(120)
        began = time.monotonic()
        scans = []
        for number in range(ADDS_PER_SECOND * ADD_SECONDS):
            await asyncio.sleep(max(0.0, began + number / ADDS_PER_SECOND - time.monotonic()))
            body = {"state": codes.states[number % 8], "person": f"bench {number}"}
            scans.append(asyncio.create_task(client.sandbox("/sandbox/scan", body)))
        await asyncio.gather(*scans)
        seconds = time.monotonic() - began
        await client.drained(120)
        figures = await client.get("/api/v1/figures/welcomes")
        return {
            "row": f"welcome at {ADDS_PER_SECOND} adds/s for {ADD_SECONDS} s",
            "unit": "ms p50 / p99 / max",
            "ours": " / ".join(
                f"{float(figures[name][:-1]) * 1000:.0f}" for name in ("latencyP50", "latencyP99", "latencyMax")
            ),
            "sent": int(figures["sent"]),
            "late": int(figures["late"]),
            "pace": round(len(scans) / seconds, 1),
        }


def idle_memory(suite: Suite) -> dict[str, Any]:
    """Proportional set size of every process with its children, megabytes, a few seconds after start."""
    time.sleep(3)
    by_name = {}
    for name, pid in suite.pids().items():
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        by_name[name] = round(sum(one.memory_full_info().pss for one in family) / 2**20)
    return {"row": "idle memory", "unit": "MiB", "ours": sum(by_name.values()), "all": by_name}


def main() -> None:
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        suite = Suite(Home(Path(folder) / "home"), Ports(free_port_base()))
        try:
            began = time.monotonic()
            suite.up(empty=True)
            ready = round(time.monotonic() - began, 1)
            rows = [idle_memory(suite), asyncio.run(welcomes(suite)), callback_ingest(suite)]
        finally:
            suite.down()
    rows.append({"row": "start-up from nothing", "unit": "s", "ours": ready})
    machine = (
        f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total // 2**30} GiB, Python {platform.python_version()}"
    )
    report = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "rows": rows}
    (ROOT / "bench.json").write_text(json.dumps(report, indent=1))
    table = Table(title=f"bench, {report['at']}, {machine}")
    for column in ("row", "ours", "ceiling", "ratio", "unit", "cpu µs/item"):
        table.add_column(column)
    for row in rows:
        names = ("row", "ours", "ceiling", "ratio", "unit", "cpu_us_per_item")
        table.add_row(*(str(row.get(name, "")) for name in names))
    console.print(table)
    for row in rows:
        if "all" in row:
            console.print(f"{row['row']}: {row['all']}", highlight=False)


if __name__ == "__main__":
    main()
