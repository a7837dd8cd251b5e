"""Runs the rows and writes bench.json.

    python -m tests.bench [ROW ...]

Without names all rows run. They run in the order of the tables below, however they are named: some stop what others
need. Logs, metrics and sealing are on.
"""

from __future__ import annotations

import argparse
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

from deploy.local.home import Home, Ports
from deploy.local.suite import ROOT, Suite
from tests.bench import door, journeys, pages, passes
from tests.bench.ground import Ground, servers
from tests.conftest import free_port_base


def idle_memory(suite: Suite) -> dict[str, Any]:
    """Proportional set size of every process with its children, megabytes, a few seconds after start."""
    time.sleep(3)
    by_name = {}
    for name, pid in suite.pids().items():
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        by_name[name] = round(sum(one.memory_full_info().pss for one in family) / 2**20)
    return {"row": "idle memory", "unit": "MiB", "ours": sum(by_name.values()), "all": by_name}


# Rows of handlers on servers alone, and rows of the whole suite.
ON_SERVERS: dict[str, Callable[[Ground], dict[str, Any]]] = {
    "handler-pass": passes.handler_pass,
    "loop": passes.loop,
    "identity-batches": passes.identity_batches,
}
ON_SUITE: dict[str, Callable[[Suite], dict[str, Any] | list[dict[str, Any]]]] = {
    "idle-memory": idle_memory,
    "paid-to-stream": journeys.paid_to_stream,
    "profile-read": journeys.profile_read,
    "pages": pages.pages,
    "welcome-100": lambda suite: journeys.welcomes(suite, 100),
    "welcome-160": lambda suite: journeys.welcomes(suite, 160),
    "callback-ingest": door.callback_ingest,
    "webhook-ingest": door.webhook_ingest,
}
ROWS = (*ON_SERVERS, *ON_SUITE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    wanted = parser.parse_args().rows or list(ROWS)
    if not set(ROWS) >= set(wanted):
        parser.error(f"the rows are {', '.join(ROWS)}")
    console = Console()
    rows = []
    if set(wanted) & set(ON_SERVERS):
        with servers() as ground:
            rows += [measure(ground) for name, measure in ON_SERVERS.items() if name in wanted]
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        suite = Suite(Home(Path(folder) / "home", corps=3), Ports(free_port_base()))
        try:
            began = time.monotonic()
            suite.up(empty=True)
            ready = round(time.monotonic() - began, 1)
            for name, measure in ON_SUITE.items():
                if name in wanted:
                    found = measure(suite)
                    rows += found if isinstance(found, list) else [found]
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
