"""Our frames and headers are nats-py's, whatever is in them."""

from __future__ import annotations

import asyncio
import string

from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.js.api import Header

from chassis.nats_connection import Connection

NAMES = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=20)
# As header values are: no space around, and now and then what would begin another header.
VALUES = st.one_of(
    st.text(max_size=40).map(str.strip),
    st.builds("{}\r\n{}: {}".format, NAMES, NAMES, NAMES),
    st.sampled_from(["a\nb", "a\rb", "", ":", "a: b", "é中"]),
)


def frames(client: Client, subject: str, headers: dict[str, str] | None, payload: bytes) -> bytes:
    sent: list[bytes] = []

    async def keep(command: bytes, priority: bool = False) -> None:
        sent.append(command)

    client._send_command = keep  # type: ignore[method-assign]
    client._flush_queue = None
    asyncio.run(client._send_publish(subject, "_INBOX.1", payload, len(payload), headers))
    return b"".join(sent)


@given(st.none() | st.dictionaries(NAMES, VALUES, max_size=9), st.binary(max_size=50))
def test_a_frame_is_the_same_as_nats_py_makes_it(headers: dict[str, str] | None, payload: bytes) -> None:
    ours = frames(Connection(), "evt.a", headers, payload)
    assert ours == frames(Client(), "evt.a", headers, payload)


def test_nats_py_s_own_names_of_headers_are_sent_by_their_value() -> None:
    own: dict[str, str] = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE: "0"}
    assert frames(Connection(), "evt.a", own, b"") == frames(Client(), "evt.a", own, b"")


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=9))
def test_what_is_sent_as_headers_is_read_again(headers: dict[str, str]) -> None:
    frame = frames(Client(), "evt.a", headers, b"")
    block = frame.split(b"NATS/1.0\r\n", 1)[1].removesuffix(b"\r\n")
    read = Connection._parse_header_lines(block)
    assert read == Client._parse_header_lines(block)
    assert len(read) == len(headers)


def test_lines_of_another_shape_are_read_as_nats_py_reads_them() -> None:
    for block in (b"A:1\r\n\r\n", b"A: 1\r\nnothing\r\n\r\n", b"A: \xff\r\n\r\n", b"A:\t1\r\n\r\n"):
        assert Connection._parse_header_lines(block) == Client._parse_header_lines(block)
