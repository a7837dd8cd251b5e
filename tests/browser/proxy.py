"""A way to the gateway that can be cut: what goes through breaks, and nothing comes through until it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    def __init__(self, to: str) -> None:
        self._to = urlsplit(to)
        self._ways: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._to.hostname, self._to.port)
        ends = {writer, back}
        self._ways |= ends
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            self._ways -= ends
            for end in ends:
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    def cut(self) -> None:
        self._is_cut = True
        for way in self._ways:
            way.transport.abort()

    def mend(self) -> None:
        self._is_cut = False


@asynccontextmanager
async def proxied(to: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(to)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
