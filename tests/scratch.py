"""Where the shared test servers keep their data: in memory where the machine has room, else on disk.

A database is some 330 files, and the tests make and drop hundreds of databases. ext4 looks through every inode that was
deleted in the last minutes before it gives one out, so on disk each new database costs more than the one before.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs on every Linux
PREFIX = "bihuan-tests-"
NEEDED_BYTES = 2 << 30
YOUNG_SECONDS = 60


@contextmanager
def scratch(on_disk: Path) -> Iterator[Path]:
    """A folder in memory, which is gone afterwards; `on_disk` where memory is short or no tmpfs is there."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < NEEDED_BYTES:
        yield on_disk
        return
    _clear_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY))
    mark = os.open(folder, os.O_RDONLY)
    fcntl.flock(mark, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(mark)


def _clear_leftovers() -> None:
    """What a killed run left behind would hold memory until the machine restarts; a run that lives holds its lock."""
    for folder in MEMORY.glob(f"{PREFIX}*"):
        with suppress(OSError):
            mark = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # One that is only being made is not locked yet.
                if time.time() - os.fstat(mark).st_mtime > YOUNG_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(mark)
