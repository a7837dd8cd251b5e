"""Where the shared test servers keep their data: in memory where the machine has room, else on disk.

A database is some 330 files, and the tests make and drop hundreds of databases. ext4 looks through every inode that was
deleted in the last minutes before it gives one out, so on disk each new database costs more than the one before.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs on every Linux
PREFIX = "bihuan-tests-"
NEEDED_BYTES = 2 << 30


@contextmanager
def scratch(on_disk: Path) -> Iterator[Path]:
    """A folder in memory, which is gone afterwards; `on_disk` where memory is short or no tmpfs is there."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < NEEDED_BYTES:
        yield on_disk
        return
    _clear_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear_leftovers() -> None:
    """What a killed run left behind would hold memory until the machine restarts."""
    for folder in MEMORY.glob(f"{PREFIX}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(PREFIX).split("-")[0])):
            shutil.rmtree(folder, ignore_errors=True)
