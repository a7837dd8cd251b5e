"""Our pages as WeCom's client shows them: under an address of the sandbox's own, with WeCom's bridge in them.

The house's own pages may be framed by nobody and know nothing of this.
"""

from __future__ import annotations

import hashlib
import json
import re

import aiohttp
from aiohttp import web
from yarl import URL

from deploy.sandbox.chat.bridge import Seat

AGENT = " wxwork/4.1.36 MicroMessenger/7.0.1"
SCRIPT = '<script src="/client/bridge.js"></script>'
SIGNS = "/api/v1/pages:sign"
# Of a connection, not of what it carries; and what would let a page come back without our script.
NOT_PASSED = {
    "host", "connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "content-encoding", "cookie",
    "accept-encoding", "if-none-match", "set-cookie", "location", "etag", "date", "server",
}  # fmt: skip


class Proxy:
    def __init__(self, site: str) -> None:
        """`site`: the gateway as people reach it."""
        self._site = site
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def serve(self, request: web.Request, seat: Seat) -> web.StreamResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, connect=10), cookie_jar=aiohttp.DummyCookieJar()
            )
        here = f"{request.scheme}://{request.host}"
        body = await request.read()
        if request.path == SIGNS:
            body = _signed_as(body, here, self._site)
        async with self._session.request(
            request.method,
            self._site + request.raw_path,
            headers=self._headers(request, seat),
            data=body or None,
            allow_redirects=False,
        ) as answer:
            headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in NOT_PASSED]
            prefix = _prefix(seat)
            headers += [("Set-Cookie", prefix + value) for value in answer.headers.getall("Set-Cookie", [])]
            if "Location" in answer.headers:
                headers.append(("Location", self._led(answer.headers["Location"], here, seat)))
            if answer.content_type == "text/html":
                return _page(answer.status, headers, await answer.text())
            response = web.StreamResponse(status=answer.status)
            response.headers.extend(headers)
            await response.prepare(request)
            async for part in answer.content.iter_any():
                await response.write(part)
            return response

    def _headers(self, request: web.Request, seat: Seat) -> dict[str, str]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_PASSED}
        headers.pop("Referer", None)
        headers["User-Agent"] = request.headers.get("User-Agent", "") + AGENT
        headers["Accept-Encoding"] = "identity"
        if "Origin" in headers:
            headers["Origin"] = self._site
        prefix = _prefix(seat)
        own = [
            f"{name.removeprefix(prefix)}={value}" for name, value in request.cookies.items() if name.startswith(prefix)
        ]
        return headers | ({"Cookie": "; ".join(own)} if own else {})

    def _led(self, address: str, here: str, seat: Seat) -> str:
        """Sign-in comes back here; inside WeCom it is known who somebody is."""
        if "/connect/oauth2/authorize?" in address:
            back = URL(address).query["redirect_uri"]
            asked = URL(address).update_query({"redirect_uri": here + back.removeprefix(self._site), "as": seat.userid})
            return str(asked)
        return here + address.removeprefix(self._site) if address.startswith(self._site + "/") else address


def _prefix(seat: Seat) -> str:
    """Cookies know no port: each employee's have names of their own, apart from the house's."""
    return f"client_{hashlib.sha256(f'{seat.corp_id}/{seat.userid}'.encode()).hexdigest()[:8]}_"


def _signed_as(body: bytes, here: str, site: str) -> bytes:
    """The client shows the page under the house's address: that one is signed."""
    try:
        asked = json.loads(body)
        asked["url"] = re.sub("^" + re.escape(here), site, asked["url"])
    except (ValueError, KeyError, TypeError):
        return body
    return json.dumps(asked).encode()


def _page(status: int, headers: list[tuple[str, str]], text: str) -> web.Response:
    response = web.Response(status=status, text=text.replace("<head>", "<head>" + SCRIPT, 1), content_type="text/html")
    for name, value in headers:
        if name.lower() != "content-type":
            response.headers.add(name, value.replace("frame-ancestors 'none'", "frame-ancestors 'self'"))
    response.headers["Cache-Control"] = "no-store"
    return response
