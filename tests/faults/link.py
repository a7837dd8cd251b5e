"""A wire that can be cut, so that it stalls as a network does and then goes on where it was, or broken, so that
whoever uses it is refused."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wire:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target`."""

    port: int
    target: int


class Links:
    """All wires of a suite, in a thread of their own, so that they run while the suite is being started."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open: dict[int, asyncio.Event] = {}
        self._broken: set[int] = set()
        self._using: dict[int, set[asyncio.StreamWriter]] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def lay(self, target: int, free_port: Callable[[], int]) -> Wire:
        wire = Wire(free_port(), target)
        asyncio.run_coroutine_threadsafe(self._listen(wire), self._loop).result(5)
        return wire

    def cut(self, wire: Wire) -> None:
        self._loop.call_soon_threadsafe(self._open[wire.port].clear)

    def break_(self, wire: Wire) -> None:
        """Ends what is on it, as a process does that is killed."""

        def end() -> None:
            self._broken.add(wire.port)
            for writer in self._using[wire.port]:
                writer.transport.abort()

        self._loop.call_soon_threadsafe(end)

    def mend(self, wire: Wire) -> None:
        self._loop.call_soon_threadsafe(self._open[wire.port].set)
        self._loop.call_soon_threadsafe(self._broken.discard, wire.port)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _listen(self, wire: Wire) -> None:
        flowing = self._open[wire.port] = asyncio.Event()
        flowing.set()
        using = self._using[wire.port] = set()

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    await flowing.wait()
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async def serve(near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
            if wire.port in self._broken:
                near_writer.transport.abort()
                return
            await flowing.wait()
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", wire.target)
            except OSError:
                near_writer.close()
                return
            ends = {near_writer, far_writer}
            using.update(ends)
            await asyncio.gather(forward(near_reader, far_writer), forward(far_reader, near_writer))
            using.difference_update(ends)

        await asyncio.start_server(serve, "127.0.0.1", wire.port)
