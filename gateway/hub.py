"""All open streams of a process over one subscription to STAFF: fanned out in memory to bounded queues; what a client
missed is read back from the stream directly. The event id is the message's sequence.

A subject of STAFF is type, corp and recipient. Who reads is told of every type: a reader is known by the subject's end
alone, its *address*: `.corp.recipient`, or `.corp.` for a whole corp. What is addressed to everybody, a change of some
noun, goes to those of the corp's readers who may list it; who may list a part of it is told that it moved, and an alert
tells others than its recipient that the lists behind it moved (gateway.changes). Missed ones are not read back, since a
page that comes back reads everything anew.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from bihuan.staff.v1.facts_pb2 import NounChanged
from google.protobuf.message import DecodeError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError
from prometheus_client import Counter, Gauge

from chassis.errors import Limited, Unavailable
from chassis.kernel.changes import EVERYBODY
from chassis.kernel.streams import STREAMS
from chassis.logs import log
from chassis.pull import Pull
from gateway.changes import ALERTS, MOVED_BY_ALERTS, Told, moved

STREAM = "STAFF"
# Types of facts, without their package, are one token of a subject.
ANY_TYPE = STREAMS[STREAM][0].removesuffix(">") + "*"
TYPE_END = ANY_TYPE.count(".") + 1
# A reader that falls this far behind is dropped and resumes by its last id.
QUEUE = 256
MOST_STREAMS = 5000
BATCH = 256
# Who was away for longer than this many events of the whole house starts anew.
MOST_MISSED = 20_000
IDLE_SECONDS = 60.0
# Readers hear at once that a collection moved, and again at most this often while it goes on.
MOVED_SECONDS = 3.0
OPEN = Gauge("bihuan_open_streams", "Live streams open at this gateway")
DROPPED = Counter("bihuan_streams_dropped_total", "Live streams whose reader took nothing for too long")


@dataclass(frozen=True, slots=True)
class Event:
    """What readers get: put into words once, however many read it. Without a sequence where none resume behind it."""

    sequence: int
    text: bytes


NOTHING = Event(0, b"")
Encode: TypeAlias = Callable[[int, str, bytes], bytes]
# A corp, a collection of it, and whether an alert says that it moved.
Move: TypeAlias = tuple[str, str, bool]


@dataclass(eq=False)
class Reader:
    """One open stream. `abort` breaks its connection: a reader that takes nothing would never hear of an end."""

    address: str
    abort: Callable[[], None]
    told: Told = Told()
    queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))

    @property
    def corp_id(self) -> str:
        return self.address.split(".")[1]

    @property
    def hears_all(self) -> bool:
        """Whether every alert of the corp comes to it."""
        return self.address.endswith(".")


class Hub:
    """All streams of this process over one subscription."""

    def __init__(self, js: JetStreamContext, encode: Encode) -> None:
        """`encode` makes what is sent of (sequence, subject, payload); nothing of a type it does not know."""
        self._js = js
        self._encode = encode
        self._readers: dict[str, set[Reader]] = defaultdict(set)  # by address
        self._of_corp: dict[str, set[Reader]] = defaultdict(set)
        # Moves that were just told, until they may be told again; and which of them went on.
        self._resting: dict[Move, asyncio.TimerHandle] = {}
        self._gone_on: set[Move] = set()
        self._open = 0
        self._last: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends every stream; the clients resume elsewhere."""
        if self._task is not None:
            self._task.cancel()
        for timer in self._resting.values():
            timer.cancel()
        for readers in list(self._readers.values()):
            for reader in list(readers):
                self.leave(reader)
                while not reader.queue.empty():
                    reader.queue.get_nowait()
                reader.queue.put_nowait(None)

    def join(self, address: str, abort: Callable[[], None], told: Told | None = None) -> Reader:
        if self._open >= MOST_STREAMS:
            raise Limited("TOO_MANY_STREAMS", "this gateway has no room for another stream")
        reader = Reader(address, abort, told or Told())
        self._readers[address].add(reader)
        self._of_corp[reader.corp_id].add(reader)
        self._open += 1
        OPEN.set(self._open)
        return reader

    def leave(self, reader: Reader) -> None:
        readers = self._readers.get(reader.address, set())
        if reader in readers:
            readers.discard(reader)
            if not readers:
                del self._readers[reader.address]
            of_corp = self._of_corp[reader.corp_id]
            of_corp.discard(reader)
            if not of_corp:
                del self._of_corp[reader.corp_id]
            self._open -= 1
            OPEN.set(self._open)

    async def since(self, sequence: int, address: str) -> tuple[bool, list[Event]]:
        """Events after `sequence`; False when some of them are gone from the stream, or it is too long ago."""
        subject = ANY_TYPE + address + ("*" if address.endswith(".") else "")
        try:
            state = (await self._js.stream_info(STREAM)).state
            whole = sequence + 1 >= state.first_seq and sequence <= state.last_seq
            if whole and state.last_seq - sequence > MOST_MISSED:
                whole = False
            events: list[Event] = []
            position = max(sequence + 1, state.first_seq)
            while whole and position <= state.last_seq:
                try:
                    raw = await self._js.get_msg(STREAM, seq=position, subject=subject, direct=True, next=True)
                except NotFoundError:
                    break
                assert raw.seq is not None
                if text := self._encode(raw.seq, raw.subject or "", raw.data or b""):
                    events.append(Event(raw.seq, text))
                position = raw.seq + 1
            return whole, events
        except (NatsError, APIError, asyncio.TimeoutError) as error:
            raise Unavailable("BUS_AWAY", "the stream cannot be read now, try again") from error

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("stream_hub_restarts", error=repr(error))
                await asyncio.sleep(0.5)

    async def _follow(self) -> None:
        """One ephemeral consumer; after a loss the next one begins behind the last event that was seen."""
        newest = (await self._js.stream_info(STREAM)).state.last_seq
        if self._last is None or self._last > newest:  # the latter: the stream was made anew
            self._last = newest
        info = await self._js.add_consumer(
            STREAM,
            ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._last + 1,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=IDLE_SECONDS,
            ),
        )
        pull = Pull(self._js, STREAM, info.name, BATCH)
        await pull.open()
        try:
            while True:
                messages = await pull.next_batch()
                if not messages:
                    await self._js.consumer_info(STREAM, info.name)  # raises when a restart took it
                for message in messages:
                    sequence = message.metadata.sequence.stream
                    if self._last is None or sequence > self._last:
                        self._last = sequence
                        self._fan_out(sequence, message.subject, message.data)
        finally:
            await pull.close()

    def _fan_out(self, sequence: int, subject: str, payload: bytes) -> None:
        *of_type, last = subject.split(".", TYPE_END)
        corp_id, _, recipient = last.rpartition(".")
        if recipient == EVERYBODY:
            noun = _noun(payload)
            readers = [one for one in self._of_corp.get(corp_id, ()) if noun in one.told.whole]
            self._move((corp_id, noun, False))
        else:
            readers = [
                *self._readers.get(f".{corp_id}.{recipient}", ()),
                *self._readers.get(f".{corp_id}.", ()),
            ]
            if ".".join(of_type) in ALERTS:
                for noun in MOVED_BY_ALERTS:
                    self._move((corp_id, noun, True))
        if readers and (text := self._encode(sequence, subject, payload)):
            self._give(Event(sequence, text), readers)

    def _move(self, move: Move) -> None:
        """Tells those of the collection who are not told which rows changed."""
        if move in self._resting:
            self._gone_on.add(move)
            return
        corp_id, noun, by_alert = move
        readers = [
            one
            for one in self._of_corp.get(corp_id, ())
            if noun in one.told.part or (by_alert and noun in one.told.whole and not one.hears_all)
        ]
        if readers:
            self._give(Event(0, moved(noun)), readers)
            self._resting[move] = asyncio.get_running_loop().call_later(MOVED_SECONDS, self._rested, move)

    def _rested(self, move: Move) -> None:
        del self._resting[move]
        if move in self._gone_on:
            self._gone_on.discard(move)
            self._move(move)

    def _give(self, event: Event, readers: list[Reader]) -> None:
        for reader in readers:
            try:
                reader.queue.put_nowait(event)
            except asyncio.QueueFull:
                DROPPED.inc()
                self.leave(reader)
                reader.abort()


def _noun(payload: bytes) -> str:
    try:
        return NounChanged.FromString(payload).noun
    except DecodeError:
        return ""
