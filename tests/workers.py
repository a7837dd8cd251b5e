"""Who runs what when the suite runs in two processes: what waits (faults) beside what computes (the rest).

    python -m pytest tests -n 2

A group runs in one process, in order. Every file is one, but tests/faults is one as a whole (two campaigns at a time
are more than two cores carry), and so are the tests that share the running suite.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

GROUPS = {"faults": "faults", "e2e": "running", "browser": "running"}
# What takes longest starts first.
FIRST = ("faults", "running")
PORTS_APART = 5_000


class ByGroup(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """Of a test, by its file below tests/."""
    file = PurePosixPath(nodeid.partition("::")[0])
    return GROUPS.get(file.parts[1], str(file))


def first_port() -> int:
    """Where this process looks for free ports: apart from its neighbour, which might take the same ones otherwise."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return 20_000 + PORTS_APART * (int(worker) % 2)


def pytest_xdist_make_scheduler(config: Any, log: Any) -> ByGroup:
    config.option.loadscopereorder = False
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: FIRST.index(name) if (name := group(item.nodeid)) in FIRST else len(FIRST))
