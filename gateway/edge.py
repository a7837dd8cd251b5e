"""Where outside messages become facts: published, confirmed, and only then acknowledged."""

from __future__ import annotations

import hashlib

from aiohttp import web
from bihuan.common.v1.identifier_pb2 import Identifier
from google.protobuf.message import Message
from nats.js import JetStreamContext

from chassis.facts import new_fact
from chassis.kernel.identifiers import Identifiers
from chassis.last_seen import LastSeen
from chassis.publishing import publish
from chassis.sealing import Sealer

# WeCom and the malls give five seconds.
CONFIRM_SECONDS = 4.0


async def read_body(request: web.Request, most: int) -> bytes:
    """At most so many bytes, whether the sender has said how many they are or sends them in chunks."""
    length = request.content_length or 0
    body = await request.read() if length <= most else b""
    if max(length, len(body)) > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=max(length, len(body)))
    return body


class Edge:
    def __init__(self, js: JetStreamContext, sealer: Sealer, identifiers: Identifiers, replicas: int = 1) -> None:
        self._js = js
        self.last_seen = LastSeen(js, replicas)
        self.sealer = sealer
        self._identifiers = identifiers

    def identifier(self, corp_id: str, kind: str, value: str, scope: str = "") -> Identifier | None:
        """None when the value names nobody."""
        name = self._identifiers.name(corp_id, kind, value, scope)
        if name is None:
            return None
        return Identifier(kind=name.kind, id=name.id, sealed=name.sealed, scope=name.scope)

    async def accept(self, message: Message, *, corp_id: str, content: tuple[str, ...]) -> None:
        """Publishes under an id made of the content, so that a re-send and its original are one fact.

        Raises Unavailable when it is not confirmed in time: the sender then sends again.
        """
        fact = new_fact(message, corp_id=corp_id, source="gateway", fact_id=content_id(corp_id, content))
        await publish(self._js, fact, timeout=CONFIRM_SECONDS)


def content_id(corp_id: str, content: tuple[str, ...]) -> str:
    return hashlib.sha256("\x00".join((corp_id, *content)).encode()).hexdigest()[:32]
