"""nats-py's client with a faster path for what a busy process does most: headers, many messages at once, listening.

A fact carries seven or eight headers, and nats-py spends most of its time per message on checking each of them, on the
queue and the task of its subscription, and on a write of its own. This client reads and writes a header block in one
pass, hands a message to its listener at once, and writes a batch in one piece. Whatever has another form goes to
nats-py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import (
    BadHeaderError,
    BadSubjectError,
    ConnectionClosedError,
    ConnectionDrainingError,
    MaxPayloadError,
    OutboundBufferLimitError,
)
from nats.js import JetStreamContext
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

VERSION_LINE = "NATS/1.0\r\n"
_VERSION = VERSION_LINE.encode()
_END = b"\r\n"


class FastParser(Parser):
    """Takes whole messages in one pass over what has arrived, and leaves everything else to nats-py."""

    async def parse(self, data: bytes = b"") -> None:
        if self.state != AWAITING_CONTROL_LINE:
            await super().parse(data)
            return
        buffer = self.buf
        buffer += data
        raw, at = bytes(buffer), 0
        try:
            while True:
                has_headers = raw.startswith(b"HMSG ", at)
                if not has_headers and not raw.startswith(b"MSG ", at):
                    break
                line_end = raw.find(_END, at)
                words = raw[at:line_end].split(b" ") if line_end > 0 else []
                sizes = words[-2:] if has_headers else words[-1:]
                if len(words) - len(sizes) not in (3, 4):
                    break
                numbers = (words[2], *sizes)
                if b"" in numbers or not b"".join(numbers).isdigit():
                    break
                reply = words[3] if len(words) - len(sizes) == 4 else b""
                head = line_end + 2
                body = head + int(sizes[0]) if has_headers else head
                end = head + int(sizes[-1])
                if len(raw) < end + len(_END):
                    return  # the rest has not arrived
                at = end + len(_END)
                headers = raw[head:body] if has_headers else None
                await self.nc._process_msg(int(words[2]), words[1], reply, raw[body:end], headers)
        finally:
            del buffer[:at]
        await super().parse()


class Connection(Client):
    """Overrides private methods of the pinned version; tests/unit/test_connection.py holds them to its results."""

    def __init__(self) -> None:
        super().__init__()
        self._ps = FastParser(self)
        self._listeners: dict[int, Callable[[Msg], None]] = {}

    async def listen(self, subject: str, take: Callable[[Msg], None]) -> Subscription:
        """Hands every message to `take` as it arrives; nothing is queued, so none is dropped."""

        async def unused(_: Msg) -> None:
            """nats-py wants a callback; no message reaches it."""

        subscription = await self.subscribe(subject, cb=unused)
        self._listeners[subscription._id] = take
        return subscription

    def frame(self, subject: str, reply: str, payload: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """A message for `send`. Raises MaxPayloadError, or BadSubjectError or BadHeaderError for what would be read as
        something else."""
        if len(payload) > self._max_payload:
            raise MaxPayloadError
        if len(subject.split()) != 1 or subject[0].isspace() or subject[-1].isspace():
            raise BadSubjectError
        if headers is None:
            return f"PUB {subject} {reply} {len(payload)}\r\n".encode() + payload + _END
        # `+`, not an f-string: nats-py's own names are enum members, which format as something else.
        lines = "".join([name + ": " + value + "\r\n" for name, value in headers.items()])
        # A line break inside a value would start a header of its own.
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise BadHeaderError(lines)
        head = f"{VERSION_LINE}{lines}\r\n".encode()
        sizes = f"{len(head)} {len(head) + len(payload)}"
        return b"".join((f"HPUB {subject} {reply} {sizes}\r\n".encode(), head, payload, _END))

    async def send(self, frames: Iterable[bytes]) -> None:
        """Writes all frames at once; keeps them while it reconnects, as nats-py keeps its own.

        Raises what nats-py's publish raises for a connection that is closed or can keep no more.
        """
        if self.is_closed:
            raise ConnectionClosedError
        if self.is_draining_pubs:
            raise ConnectionDrainingError
        frames = list(frames)
        block = b"".join(frames)
        if not self.is_connected and len(block) + self._pending_data_size > self._max_pending_size:
            raise OutboundBufferLimitError
        self.stats["out_msgs"] += len(frames)
        self.stats["out_bytes"] += len(block)
        await self._send_command(block)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    async def ack(self, messages: Iterable[Msg]) -> None:
        """Acks all of them in one write."""
        messages = [message for message in messages if not message.is_acked]
        if messages:
            await self.send(self.frame(message.reply, "") for message in messages)
            for message in messages:
                message._ackd = True

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        take = self._listeners.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        if sid not in self._subs:  # unsubscribed
            del self._listeners[sid]
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        if not headers:
            read = None
        elif headers.startswith(_VERSION):
            read = self._parse_header_lines(headers[len(_VERSION) :])
        else:  # with a status
            read = await self._process_headers(headers)
        try:
            take(self._build_message(sid, subject, reply, data, read))
        except Exception as error:
            await self._error_cb(error)

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        try:
            frame = self.frame(subject, reply, payload, headers)
        except BadHeaderError:
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        await self._send_command(frame)
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        try:
            return dict([line.split(": ", 1) for line in raw.decode().split("\r\n") if line])
        except ValueError:  # no colon, or not UTF-8
            return Client._parse_header_lines(raw)


def connection_of(js: JetStreamContext) -> Connection:
    """The connection beneath, which chassis.bus.connect made; nats-py offers no public way back to it."""
    connection = js._nc
    assert isinstance(connection, Connection), "made by chassis.bus.connect"
    return connection
