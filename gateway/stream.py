"""The live stream: staff alerts as server-sent events, resumable at any gateway.

One subscription per process is fanned out in memory to bounded queues; what a client missed is read back from the
stream directly. The event id is the message's sequence in STAFF.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web
from bihuan.staff.v1.facts_pb2 import StaffAlertRaised
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError
from prometheus_client import Counter, Gauge

from chassis.caller import Caller
from chassis.errors import DomainError, Forbidden, Invalid, Limited, Unavailable
from chassis.facts import subject_of
from chassis.logs import log
from chassis.pull import Pull
from chassis.staff_subject import staff_suffix
from gateway import keys

STREAM = "STAFF"
HEARTBEAT_SECONDS = 15.0
# No event goes out on a permission older than this (the doorkeeper's own memory comes on top: auth.MEMORY_SECONDS).
CHECK_SECONDS = 1.0
# How often a stream without events is asked whether its reader may still read.
IDLE_CHECK_SECONDS = 5.0
# A reader that falls this far behind is dropped and resumes by its last id.
QUEUE = 256
MOST_STREAMS = 5000
SEND_BUFFER_BYTES = 64 * 1024
# They may follow every employee's alerts.
CORP_ROLES = frozenset({"ADMIN", "SERVICE"})
BATCH = 256
# Who was away for longer than this many events of the whole house starts anew.
MOST_MISSED = 20_000
IDLE_SECONDS = 60.0
OPEN = Gauge("bihuan_open_streams", "Live streams open at this gateway")
DROPPED = Counter("bihuan_streams_dropped_total", "Live streams whose reader took nothing for too long")


@dataclass(frozen=True, slots=True)
class Event:
    sequence: int
    subject: str
    payload: bytes


NOTHING = Event(0, "", b"")


@dataclass(eq=False)
class Reader:
    """One open stream. `abort` breaks its connection: a reader that takes nothing would never hear of an end."""

    subject: str
    abort: Callable[[], None]
    queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))


class Hub:
    """All streams of this process over one subscription."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._readers: dict[str, set[Reader]] = defaultdict(set)  # by subject, or its beginning for a whole corp
        self._open = 0
        self._last: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends every stream; the clients resume elsewhere."""
        if self._task is not None:
            self._task.cancel()
        for readers in list(self._readers.values()):
            for reader in list(readers):
                self.leave(reader)
                while not reader.queue.empty():
                    reader.queue.get_nowait()
                reader.queue.put_nowait(None)

    def join(self, subject: str, abort: Callable[[], None]) -> Reader:
        if self._open >= MOST_STREAMS:
            raise Limited("TOO_MANY_STREAMS", "this gateway has no room for another stream")
        reader = Reader(subject, abort)
        self._readers[subject].add(reader)
        self._open += 1
        OPEN.set(self._open)
        return reader

    def leave(self, reader: Reader) -> None:
        readers = self._readers.get(reader.subject, set())
        if reader in readers:
            readers.discard(reader)
            if not readers:
                del self._readers[reader.subject]
            self._open -= 1
            OPEN.set(self._open)

    async def since(self, sequence: int, subject: str) -> tuple[bool, list[Event]]:
        """Events after `sequence`; False when some of them are gone from the stream, or it is too long ago."""
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
                events.append(Event(raw.seq, raw.subject or "", raw.data or b""))
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
                        self._fan_out(Event(sequence, message.subject, message.data))
        finally:
            await pull.close()

    def _fan_out(self, event: Event) -> None:
        whole_corp = event.subject.rpartition(".")[0] + "."
        for reader in (*self._readers.get(event.subject, ()), *self._readers.get(whole_corp, ())):
            try:
                reader.queue.put_nowait(event)
            except asyncio.QueueFull:
                DROPPED.inc()
                self.leave(reader)
                reader.abort()


def add_routes(app: web.Application, hub: Hub) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        caller = await request.app[keys.DOORKEEPER].caller(request)
        prefix = _scope(caller, request.query.get("scope", "own"))
        resume = _last_event_id(request)

        def abort() -> None:
            if request.transport is not None:
                request.transport.abort()

        reader = hub.join(prefix, abort)

        async def still_allowed() -> bool:
            try:
                now = await request.app[keys.DOORKEEPER].caller(request)
                return _scope(now, request.query.get("scope", "own")) == prefix
            except DomainError:
                return False
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.UNAVAILABLE  # a service that is away dismisses nobody

        try:
            # The live events gather in the queue while the missed ones are read: what is in both is sent once.
            whole, missed = (True, []) if resume is None else await hub.since(resume, _filter(prefix))
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/event-stream",
                    "Cache-Control": "no-store",
                    "X-Accel-Buffering": "no",
                }
            )
            response.force_close()  # nothing else ever comes on this connection
            _keep_buffers_small(request)
            await response.prepare(request)
            await _send(response, reader, missed, whole, (resume or 0) if whole else 0, still_allowed)
            return response
        finally:
            hub.leave(reader)

    app.router.add_get("/api/v1/stream", stream, allow_head=False)


def _keep_buffers_small(request: web.Request) -> None:
    """The system lets the unread bytes of one connection grow to megabytes: too much for thousands of streams."""
    sock = request.transport.get_extra_info("socket") if request.transport is not None else None
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


async def _send(
    response: web.StreamResponse,
    reader: Reader,
    missed: list[Event],
    whole: bool,
    last: int,
    still_allowed: Callable[[], Awaitable[bool]],
) -> None:
    try:
        await response.write(b"retry: 1000\n: open\n\n" if whole else b"retry: 1000\nevent: reset\ndata: {}\n\n")
        for event in missed:
            last = event.sequence
            await response.write(_encode(event))
        clock = asyncio.get_running_loop().time
        checked_at = beat_at = clock()
        while True:
            try:
                live = await asyncio.wait_for(reader.queue.get(), IDLE_CHECK_SECONDS)
            except asyncio.TimeoutError:
                live = NOTHING
            if live is None:
                return
            if live is NOTHING or clock() > checked_at + CHECK_SECONDS:
                if not await still_allowed():
                    return
                checked_at = clock()
            if live.sequence > last:
                last = live.sequence
                await response.write(_encode(live))
            elif clock() > beat_at + HEARTBEAT_SECONDS:
                await response.write(b": alive\n\n")
                beat_at = clock()
    except (ConnectionResetError, asyncio.CancelledError):
        return


def _scope(caller: Caller, scope: str) -> str:
    """The subject prefix a caller may follow: their own alerts, or the corp's for those who may."""
    if scope == "own" and caller.userid:
        return subject_of(StaffAlertRaised) + staff_suffix(caller.corp_id, caller.userid)
    if scope == "corp" or not caller.userid:
        if caller.role not in CORP_ROLES:
            expected = ", ".join(sorted(CORP_ROLES))
            raise Forbidden("ROLE_NOT_ALLOWED", "not the whole corp's alerts", field="scope", expected=expected)
        return f"{subject_of(StaffAlertRaised)}.{caller.corp_id}."
    raise Invalid("SCOPE_WRONG", field="scope", expected="own or corp")


def _filter(prefix: str) -> str:
    return prefix + "*" if prefix.endswith(".") else prefix


def _last_event_id(request: web.Request) -> int | None:
    text = request.headers.get("Last-Event-ID", request.query.get("lastEventId", ""))
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise Invalid("EVENT_ID_WRONG", field="Last-Event-ID", expected="the id of an event of this stream")
    return int(text)


def _encode(event: Event) -> bytes:
    try:
        alert = StaffAlertRaised.FromString(event.payload)
    except DecodeError:
        return b""
    body: dict[str, Any] = MessageToDict(alert, always_print_fields_with_no_presence=True)
    data = json.dumps(body, ensure_ascii=False)
    return f"id: {event.sequence}\nevent: alert\ndata: {data}\n\n".encode()
