"""Our frames and headers are nats-py's, whatever is in them."""

from __future__ import annotations

import asyncio
import string
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.errors import BadHeaderError, BadSubjectError, ProtocolError
from nats.js.api import Header
from nats.protocol.parser import Parser

from chassis.nats_connection import Connection, FastParser

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


@given(st.dictionaries(NAMES, st.text(string.ascii_letters, max_size=20), max_size=9), st.binary(max_size=50))
def test_frames_that_are_sent_together_are_the_same_too(headers: dict[str, str], payload: bytes) -> None:
    ours = Connection().frame("evt.a", "_INBOX.1", payload, headers)
    assert ours == frames(Client(), "evt.a", headers, payload)
    assert Connection().frame("evt.a", "_INBOX.1", payload) == frames(Client(), "evt.a", None, payload)


def test_what_would_be_read_as_another_frame_is_none() -> None:
    for subject in ("evt a", "evt.a ", "", "evt.a\r\nPUB evt.b 0"):
        with pytest.raises(BadSubjectError):
            Connection().frame(subject, "")
    with pytest.raises(BadHeaderError):
        Connection().frame("evt.a", "", b"", {"A": "b\r\nC: d"})


# What a server sends: messages with and without reply and headers, and words of its own.
MESSAGES = st.builds(
    lambda subject, reply, headers, payload: (
        b"HMSG %s 7 %s%d %d\r\n%s%s\r\n"
        % (subject, reply and reply + b" ", len(headers), len(headers) + len(payload), headers, payload)
        if headers
        else b"MSG %s 7 %s%d\r\n%s\r\n" % (subject, reply and reply + b" ", len(payload), payload)
    ),
    st.sampled_from([b"evt.a", b"_INBOX.x.1"]),
    st.sampled_from([b"", b"$JS.ACK.S.d.1.2.3"]),
    st.sampled_from([b"", b"NATS/1.0\r\nA: b\r\n\r\n", b"NATS/1.0 408 Request Timeout\r\n\r\n"]),
    st.binary(max_size=30) | st.sampled_from([b"", b"\r\n", b"MSG a 1 0\r\n\r\n"]),
)
WORDS = st.sampled_from([b"PING\r\n", b"+OK\r\n", b"PONG\r\n"])


class Heard:
    """What a parser tells its client."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    async def _process_msg(self, *message: Any) -> None:
        self.said.append(message)

    async def _process_ping(self) -> None:
        self.said.append(("ping",))

    async def _process_pong(self) -> None:
        self.said.append(("pong",))


def heard(parser: type[Parser], sent: bytes, cuts: list[int]) -> list[tuple[Any, ...]]:
    client = Heard()
    reader, edges = parser(client), sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})

    async def read() -> None:
        for start, end in pairwise(edges):
            await reader.parse(sent[start:end])

    asyncio.run(read())
    assert not reader.buf
    return client.said


@given(st.lists(MESSAGES | WORDS, min_size=1, max_size=8), st.lists(st.integers(0, 2000), max_size=6))
def test_what_arrives_is_read_as_nats_py_reads_it_wherever_it_is_cut(sent: list[bytes], cuts: list[int]) -> None:
    assert heard(FastParser, b"".join(sent), cuts) == heard(Parser, b"".join(sent), cuts)


@pytest.mark.parametrize("nonsense", [b"MSG a x 1\r\n.\r\n", b"HMSG a 1 1\r\n", b"MSGS\r\n"])
def test_what_is_no_message_is_an_error_as_with_nats_py(nonsense: bytes) -> None:
    for parser in (FastParser, Parser):
        with pytest.raises(ProtocolError):
            asyncio.run(parser(Heard()).parse(nonsense))
