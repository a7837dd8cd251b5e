"""Who runs in a home: a lock that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

LOCK = "suite.lock"
# The clock's reading of one process's start wobbles by a second; an id comes round again much later.
SAME_START_SECONDS = 5.0


@dataclass(frozen=True)
class Holder:
    """`started`: the process's start in seconds since 1970, which tells it from a later one of the same id."""

    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """None when it has ended, also when its id is another's by now."""
        try:
            process = psutil.Process(self.pid)
            return process if abs(process.create_time() - self.started) < SAME_START_SECONDS else None
        except psutil.Error:
            return None


class Lock:
    """Held from `acquire` until `release` or the end of this process."""

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK
        self._file: int | None = None

    def acquire(self) -> None:
        """RuntimeError, which names the holder, when another suite runs in this home. Acquiring twice is one."""
        if self._file is not None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if not _locked(file):
            os.close(file)
            running = holder(self._path.parent)
            named = f"process {running.pid}" if running else "another process"
            raise RuntimeError(
                f"a suite already runs in {self._path.parent} ({named}): stop it by `make down`, or name another"
                " folder by BIHUAN_HOME or --home"
            )
        os.ftruncate(file, 0)
        os.write(file, json.dumps({"pid": os.getpid(), "started": psutil.Process().create_time()}).encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def holder(home: Path) -> Holder | None:
    """Who holds the lock now. What a dead one left behind in the file counts for nothing."""
    try:
        file = os.open(home / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        for _ in range(20):  # between the lock and its text lies a moment
            if not _is_held(file):
                return None
            try:
                return Holder(**json.loads(os.pread(file, 1000, 0)))
            except (ValueError, TypeError):
                time.sleep(0.05)
        return None
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    for _ in range(5):  # somebody who only looks holds it for an instant too
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)
    return False


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False
