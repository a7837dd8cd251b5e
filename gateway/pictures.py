"""Pictures that stand at WeCom, fetched for pages that may show nothing from outside.

What is fetched is named by an answer of WeCom, not by whoever asks; still it comes from the configured origins only.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from chassis.errors import Precondition, Unavailable

MOST_BYTES = 512 * 1024
SECONDS = 5.0
# The first bytes say what it is, whatever the answer calls it.
KINDS: Final = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(frozen=True)
class Picture:
    content: bytes
    content_type: str


class Pictures:
    """`origins`: where pictures are, as `https://host[:port]` with spaces between."""

    def __init__(self, origins: str) -> None:
        """Raises ValueError for what is no origin."""
        self._origins = frozenset(_origin(URL(one)) for one in origins.split())
        self._session: ClientSession | None = None

    async def fetch(self, address: str) -> Picture:
        """Raises Precondition for an address of another origin, Unavailable when no picture comes."""
        url = _parsed(address)
        if url is None or url.user is not None or _origin(url) not in self._origins:
            raise Precondition("PICTURE_ELSEWHERE", expected=f"a picture at {', '.join(sorted(self._origins))}")
        if self._session is None:
            # Pictures are packed already: what unpacks to any size is not asked for, and not unpacked.
            self._session = ClientSession(
                timeout=ClientTimeout(total=SECONDS), auto_decompress=False, headers={"Accept-Encoding": "identity"}
            )
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise _unreadable(f"it answers {answer.status}")
                content = b""
                async for piece in answer.content.iter_any():
                    content += piece
                    if len(content) > MOST_BYTES:
                        raise _unreadable(f"it is larger than {MOST_BYTES} bytes")
        except (ClientError, asyncio.TimeoutError, OSError) as error:
            raise _unreadable(type(error).__name__) from error
        for beginning, content_type in KINDS.items():
            if content.startswith(beginning):
                return Picture(content, content_type)
        raise _unreadable("it is no picture")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _parsed(address: str) -> URL | None:
    try:
        url = URL(address)
    except ValueError:
        return None
    return url if url.absolute and url.scheme in ("http", "https") and url.host else None


def _origin(url: URL) -> str:
    return str(url.origin())


def _unreadable(why: str) -> Unavailable:
    return Unavailable("PICTURE_AWAY", f"the picture cannot be read now: {why}")
