"""Rows: callback and webhook ingest, welcome latency at 100 adds a second, idle memory. Writes bench.json.

    python -m tests.bench [ROW ...]

Without names all rows run. Logs, metrics and sealing are on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from deploy.local.client import Client
from deploy.local.home import Home, Ports
from deploy.local.story import set_up
from deploy.local.suite import ROOT, Suite
from tests.bench import door
from tests.conftest import free_port_base

ADDS_PER_SECOND = 100
ADD_SECONDS = 30


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


ROWS: dict[str, Callable[[Suite], dict[str, Any]]] = {
    "idle-memory": idle_memory,
    "welcomes": lambda suite: asyncio.run(welcomes(suite)),
    "callback-ingest": door.callback_ingest,
    "webhook-ingest": door.webhook_ingest,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    wanted = parser.parse_args().rows or list(ROWS)
    if not ROWS.keys() >= set(wanted):
        parser.error(f"the rows are {', '.join(ROWS)}")
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        suite = Suite(Home(Path(folder) / "home"), Ports(free_port_base()))
        try:
            began = time.monotonic()
            suite.up(empty=True)
            ready = round(time.monotonic() - began, 1)
            rows = [ROWS[name](suite) for name in wanted]
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
