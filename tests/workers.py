"""Who runs what when the suite runs in two processes: what waits (faults) beside what computes (the rest).

    python -m pytest tests -n 2 --dist loadgroup

A group runs in one process. Every file is one, but tests/faults is one as a whole (two campaigns at a time are more
than two cores carry), and so are the tests that share the running suite.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# What takes longest starts first.
GROUPS = {"faults": "faults", "e2e": "running", "browser": "running"}
FIRST = ("faults", "running")
PORTS_APART = 5_000


def first_port() -> int:
    """Where this process looks for free ports: apart from its neighbour, which might take the same ones otherwise."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return 20_000 + PORTS_APART * (int(worker) % 2)


def _group(item: pytest.Item) -> str:
    path = item.path.relative_to(ROOT)
    return GROUPS.get(path.parts[0], str(path))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: FIRST.index(group) if (group := _group(item)) in FIRST else len(FIRST))
