"""A mall's message becomes a fact, whatever the platform: read as far as we can, and kept whole beside it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime

from bihuan.mall.v1.facts_pb2 import MessageUnread
from google.protobuf.message import Message
from prometheus_client import Counter

from chassis.errors import Invalid
from chassis.kernel.corps import Mall
from chassis.logs import log
from chassis.moments import stamp
from chassis.sealing import Sealer
from gateway.bounds import OutOfBounds
from gateway.edge import Edge
from gateway.mall.adapter import Adapter

MOST_KIND = 100
# The quickest: the others are hardly smaller.
LEVEL = 1
UNREAD = Counter("bihuan_mall_messages_unread_total", "Mall messages kept for a later reader", ["platform", "kind"])


@dataclass(frozen=True, slots=True)
class Read:
    """A fact, and what identifies its message."""

    kind: str
    fact: Message
    content: tuple[str, ...]


def read(adapter: Adapter, edge: Edge, corp_id: str, mall: Mall, body: bytes, arrived_at: datetime) -> Read | None:
    """None for a trial message. Raises Invalid or Forbidden as the adapter does."""
    message = adapter.open(mall, body)
    if message is None:
        return None
    sealed = seal_message(edge.sealer, corp_id, body)
    try:
        fact = adapter.state(edge, corp_id, mall, message, arrived_at)
    except OutOfBounds as error:
        log.warning(
            "mall_message_kept_unread", corp_id=corp_id, mall_id=mall.id, field=error.field, expected=error.expected
        )
        fact = None
    if fact is None:
        UNREAD.labels(mall.platform, message.kind if message.kind in adapter.KINDS else "other").inc()
        fact = MessageUnread(
            corp_id=corp_id,
            mall_id=mall.id,
            kind=message.kind[:MOST_KIND],
            sealed_message=sealed,
            arrived_at=stamp(arrived_at),
        )
    else:
        fact.order.sealed_message = sealed  # type: ignore[attr-defined]
    return Read(message.kind, fact, message.content)


def seal_message(sealer: Sealer, corp_id: str, body: bytes) -> bytes:
    return sealer.seal_bytes(corp_id, zlib.compress(body, LEVEL))


def open_message(sealer: Sealer, corp_id: str, sealed: bytes, most: int) -> bytes:
    """The message as the mall sent it, of at most `most` bytes. Raises Invalid when it cannot be opened."""
    compressed = sealer.open_bytes(corp_id, sealed)
    try:
        return zlib.decompressobj().decompress(compressed, most)
    except zlib.error:
        raise Invalid("MESSAGE_BROKEN", "the sealed message is not one of ours", field="sealed_message") from None
