"""nats-py's client, with the two places that every fact passes written for the shape of facts.

A fact carries seven or eight headers. nats-py looks at each of their names and values several times, which costs more
than everything else it does for a message; here a block of them is made, and read, in one go. What does not have the
usual shape goes nats-py's own way.
"""

from __future__ import annotations

from typing import Any

from nats.aio.client import Client

VERSION_LINE = "NATS/1.0\r\n"


class Connection(Client):
    """Overrides two private methods of the pinned version; tests/unit/test_connection.py holds them to its results."""

    async def _send_publish(
        self, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        # Added, not formatted: nats-py's own names are members of an enum, whose format is another text.
        lines = "".join([name + ": " + value + "\r\n" for name, value in headers.items()]) if headers else ""
        # A line end inside a value would begin another header.
        if headers is None or lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            await super()._send_publish(subject, reply, payload, payload_size, headers)
            return
        head = f"{VERSION_LINE}{lines}\r\n".encode()
        sizes = f"{len(head)} {len(head) + payload_size}"
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        await self._send_command(b"".join((f"HPUB {subject} {reply} {sizes}\r\n".encode(), head, payload, b"\r\n")))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        try:
            return dict([line.split(": ", 1) for line in raw.decode().split("\r\n") if line])
        except ValueError:  # no colon, or not UTF-8
            return Client._parse_header_lines(raw)
