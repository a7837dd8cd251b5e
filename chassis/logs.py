"""structlog, set up once: JSON lines, or colours on a terminal; one canonical line per request and per batch."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import orjson
import structlog
from prometheus_client import Counter

LOST = Counter("bihuan_log_lines_lost_total", "Log lines that could not be written")


def _stamp(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = datetime.now(UTC)  # orjson writes it six times faster than isoformat
    return event


class Lines:
    """A file of whole lines. Those of one turn of the event loop are written together; where none runs, each at once.

    A busy process makes many in a turn, and a write costs it more than making the line. At exit nothing is left.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()
        self._writing = threading.Lock()
        # The loop that will write. Asking for the running one is a system call, so it is not asked for every line.
        self._promised: asyncio.AbstractEventLoop | None = None
        atexit.register(self.write_out)

    def write(self, line: bytes) -> int:
        self._waiting.append(line)
        return len(line)

    def flush(self) -> None:
        if self._promised is not None and not self._promised.is_closed():
            return
        try:
            self._promised = asyncio.get_running_loop()
        except RuntimeError:
            self.write_out()
        else:
            self._promised.call_soon(self.write_out)

    def write_out(self) -> None:
        self._promised = None
        with self._writing:
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                self._file.write(b"".join(lines))
                self._file.flush()
            except OSError:  # a full disk, a pipe nobody reads: to log that would come back here
                LOST.inc(len(lines))


class _Libraries(logging.Handler):
    """The libraries' own lines, into the same file."""

    def __init__(self, lines: Lines, formatter: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.write(self.format(record).encode(errors="replace") + b"\n")
        self._lines.flush()


def configure(process: str, level: str) -> None:
    """Sends our lines and the libraries' warnings to standard output as one stream."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
    ]
    render: structlog.typing.Processor
    readable: structlog.typing.Processor
    make_logger: Callable[..., structlog.typing.WrappedLogger]
    lines = Lines(sys.stdout.buffer)
    if sys.stdout.isatty():
        render = readable = structlog.dev.ConsoleRenderer()
        make_logger = structlog.PrintLoggerFactory()
    else:
        render = structlog.processors.JSONRenderer(serializer=orjson.dumps)
        readable = structlog.processors.JSONRenderer(serializer=lambda *a, **more: orjson.dumps(*a, **more).decode())
        make_logger = structlog.BytesLoggerFactory(cast(BinaryIO, lines))
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=make_logger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    formatter = structlog.stdlib.ProcessorFormatter(processor=readable, foreign_pre_chain=shared)
    logging.basicConfig(handlers=[_Libraries(lines, formatter)], level=logging.WARNING, force=True)


log = structlog.get_logger()
