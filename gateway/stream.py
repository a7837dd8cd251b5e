"""The live stream: alerts, jobs and changes of what pages show, as server-sent events that `Last-Event-ID` resumes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import grpc
import orjson
from aiohttp import web
from bihuan.staff.v1.facts_pb2 import JobChanged, NounChanged, StaffAlerted, StaffAlertRaised
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from chassis.errors import DomainError, Forbidden, Invalid
from chassis.facts import subject_of
from chassis.kernel.alerts import as_staff_alerted
from chassis.kernel.caller import Caller
from chassis.kernel.staff_subject import staff_suffix
from gateway import app_keys
from gateway.changes import told
from gateway.hub import NOTHING, TYPE_END, Event, Hub, Reader

HEARTBEAT_SECONDS = 15.0
# No event goes out on a permission older than this (the doorkeeper's own memory comes on top: auth.MEMORY_SECONDS).
CHECK_SECONDS = 1.0
# How often a stream without events is asked whether its reader may still read.
IDLE_CHECK_SECONDS = 5.0
SEND_BUFFER_BYTES = 64 * 1024
# They may follow every employee's alerts.
CORP_ROLES = frozenset({"ADMIN", "SERVICE"})

# Subject of a type → the event's name, and how the message is read. The release before states StaffAlertRaised.
Read: TypeAlias = Callable[[bytes], Message]
EVENTS: dict[str, tuple[bytes, Read]] = {
    subject_of(StaffAlerted): (b"alert", StaffAlerted.FromString),
    subject_of(StaffAlertRaised): (b"alert", lambda payload: as_staff_alerted(StaffAlertRaised.FromString(payload))),
    subject_of(NounChanged): (b"changed", NounChanged.FromString),
    subject_of(JobChanged): (b"job", lambda payload: JobChanged.FromString(payload).job),
}


def add_routes(app: web.Application, hub: Hub) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        caller = await request.app[app_keys.DOORKEEPER].caller(request)
        address = _address(caller, request.query.get("scope", "own"))
        resume = _last_event_id(request)

        def abort() -> None:
            if request.transport is not None:
                request.transport.abort()

        reader = hub.join(address, abort, told(caller.role))

        async def still_allowed() -> bool:
            try:
                now = await request.app[app_keys.DOORKEEPER].caller(request)
                return _address(now, request.query.get("scope", "own")) == address and told(now.role) == reader.told
            except DomainError:
                return False
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.UNAVAILABLE  # a service that is away dismisses nobody

        try:
            # The live events gather in the queue while the missed ones are read: what is in both is sent once.
            whole, missed = (True, []) if resume is None else await hub.since(resume, address)
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
            await response.write(event.text)
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
                await response.write(live.text)
            elif live.text and not live.sequence:
                await response.write(live.text)
            elif clock() > beat_at + HEARTBEAT_SECONDS:
                await response.write(b": alive\n\n")
                beat_at = clock()
    except (ConnectionResetError, asyncio.CancelledError):
        return


def _address(caller: Caller, scope: str) -> str:
    """Whose alerts a caller may follow (gateway.hub): their own, or the whole corp's for those who may."""
    if scope == "own" and caller.userid:
        return staff_suffix(caller.corp_id, caller.userid)
    if scope == "corp" or not caller.userid:
        if caller.role not in CORP_ROLES:
            expected = ", ".join(sorted(CORP_ROLES))
            raise Forbidden("ROLE_NOT_ALLOWED", "not the whole corp's alerts", field="scope", expected=expected)
        return f".{caller.corp_id}."
    raise Invalid("SCOPE_WRONG", field="scope", expected="own or corp")


def _last_event_id(request: web.Request) -> int | None:
    text = request.headers.get("Last-Event-ID", request.query.get("lastEventId", ""))
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise Invalid("EVENT_ID_WRONG", field="Last-Event-ID", expected="the id of an event of this stream")
    return int(text)


def encode(sequence: int, subject: str, payload: bytes) -> bytes:
    """The event that readers get; nothing of a type that this release does not know."""
    name, read = EVENTS.get(".".join(subject.split(".", TYPE_END)[:TYPE_END]), (b"", None))
    if read is None:
        return b""
    try:
        message = read(payload)
    except DecodeError:
        return b""
    body = orjson.dumps(MessageToDict(message, always_print_fields_with_no_presence=True))
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (sequence, name, body)
