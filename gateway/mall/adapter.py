"""What a mall platform's adapter does at the door. A platform is one module of this shape and a line in PLATFORMS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from aiohttp import web
from google.protobuf.message import Message

from chassis.kernel.corps import Mall
from gateway.edge import Edge


@dataclass(frozen=True, slots=True)
class Opened:
    """An authentic message, not yet read: its kind in the platform's words, what identifies it, and its parts."""

    kind: str
    content: tuple[str, ...]
    parts: Any


class Adapter(Protocol):
    """A module may be one."""

    # The longest body, so that the fact made of it stays below NATS's limit of 1 MB.
    MOST_BYTES: int
    # Raise it with every change of what is read, so that a message read anew is a new fact.
    READING: int
    # The platform's own names of its kinds, as far as we know them: labels of metrics.
    KINDS: frozenset[str]

    def verify(self, mall: Mall, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Unauthenticated for a body that the platform has not signed."""
        ...

    def open(self, mall: Mall, body: bytes) -> Opened | None:
        """None for a trial message. Raises Invalid for what is no message, Forbidden for another shop's."""
        ...

    def state(self, edge: Edge, corp_id: str, mall: Mall, message: Opened, arrived_at: datetime) -> Message | None:
        """The fact that the message states; None for kinds that have no reader.

        Raises OutOfBounds for more than we take, Invalid for what does not say what its kind must.
        """
        ...

    def acknowledge(self) -> web.Response:
        """The answer that the platform waits for."""
        ...
