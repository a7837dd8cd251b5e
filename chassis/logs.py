"""structlog, set up once: JSON lines, or colours on a terminal; one canonical line per request and per batch."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog


def _stamp(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds")
    return event


def configure(process: str, level: str) -> None:
    """Sends our lines and the libraries' warnings to standard output as one stream."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
    ]
    on_terminal = sys.stdout.isatty()
    as_json = structlog.processors.JSONRenderer(serializer=orjson.dumps)
    render: structlog.typing.Processor = structlog.dev.ConsoleRenderer() if on_terminal else as_json
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory() if on_terminal else structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stdout)
    readable = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=readable, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


log = structlog.get_logger()
