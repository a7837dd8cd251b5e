"""Calls to WeCom's server API: token, concurrency, closed windows, and errors that say what to do next."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import aiohttp
from nats.js import JetStreamContext

from chassis import metrics
from chassis.errors import NotFound
from chassis.kernel.corps import App, Corp, Corps
from chassis.sealing import Sealer
from chassis.shared_token import SharedToken
from chassis.wecom.budget import Budget

# WeCom publishes no number for 45033; a small pool per API stays below it.
CALLS_AT_ONCE = 10
BUSY_TRIES = 3
BUSY = frozenset({-1, 6000, 45033, 41096})
TOKEN_REFUSED = frozenset({40014, 42001})
# A secret being changed, an address missing from the trusted list: wrong now, right once somebody has mended it.
MISCONFIGURED = frozenset({40001, 40013, 40091, 48001, 48002, 48006, 50003, 60020, 301002})
WINDOW_FULL = 45009
TOKENS = "wecom-tokens"


class WeComError(Exception):
    """WeCom answered with an errcode. The text is WeCom's: for people, never to match on."""

    def __init__(self, api: str, errcode: int, errmsg: str) -> None:
        super().__init__(f"{api}: {errcode} {errmsg}")
        self.api = api
        self.errcode = errcode

    @property
    def passing(self) -> bool:
        """True when the same call may succeed later."""
        return self.api == "gettoken" or self.errcode in BUSY | TOKEN_REFUSED | MISCONFIGURED | {WINDOW_FULL}


class WeComAway(Exception):
    """No answer in time, or none that could be read. The call may or may not have had its effect; `sent` False: it was
    never made."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as WeCom takes it: one part of a form, called `media`."""

    name: str
    content_type: str
    content: bytes

    def form(self) -> aiohttp.FormData:
        """A form is read once: each try has its own."""
        form = aiohttp.FormData(quote_fields=False, charset="utf-8")
        # A name that cannot end its quotation.
        name = "".join(one if one.isprintable() and one not in '"\\/' else "_" for one in self.name)
        form.add_field("media", self.content, filename=name, content_type=self.content_type)
        return form


class Limits:
    """What WeCom counts per corp and API, whichever app calls: calls a minute, and calls at once."""

    def __init__(self, js: JetStreamContext, corp_id: str, replicas: int) -> None:
        self.budget = Budget(js, corp_id, replicas)
        self.at_once: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(CALLS_AT_ONCE))


class WeCom:
    """One app's calls: its own token, within the limits that it shares with the corp's other apps."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        js: JetStreamContext,
        sealer: Sealer,
        corp: Corp,
        app: App,
        limits: Limits,
        replicas: int,
    ) -> None:
        self.corp = corp
        self.app = app
        self._session = session
        self._token = SharedToken(
            js, sealer, corp.corp_id, app.secret, self._fetch_token, bucket=TOKENS, replicas=replicas
        )
        self._limits = limits

    async def get(self, api: str, seconds: float = 5.0, **params: str) -> dict[str, Any]:
        return await self._call("GET", api, params, None, seconds)

    async def post(self, api: str, body: dict[str, Any], seconds: float = 5.0) -> dict[str, Any]:
        return await self._call("POST", api, {}, body, seconds)

    async def upload(self, api: str, file: Upload, seconds: float, **params: str) -> dict[str, Any]:
        return await self._call("POST", api, params, file, seconds)

    async def _call(
        self, method: str, api: str, params: dict[str, str], body: dict[str, Any] | Upload | None, seconds: float
    ) -> dict[str, Any]:
        """Raises WeComError or WeComAway; never takes longer than `seconds`.

        Only reads are repeated here. "Busy" does not say whether a write had its effect: its due row repeats it, and
        knows that it is a repetition.
        """
        give_up_at = time.monotonic() + seconds
        refreshed, busy, sent = False, 0, False
        try:
            async with asyncio.timeout(seconds), self._limits.at_once[api]:
                while True:
                    if not await self._limits.budget.take(api):
                        raise WeComError(api, WINDOW_FULL, "the window is closed")
                    token = await self._fresh_token()
                    sent = True
                    answer = await self._send(method, api, {**params, "access_token": token}, body)
                    errcode = int(answer.get("errcode", 0))
                    metrics.WECOM_CALLS.labels(api, str(errcode)).inc()
                    if errcode == 0:
                        return answer
                    error = WeComError(api, errcode, str(answer.get("errmsg", "")))
                    if errcode in TOKEN_REFUSED and not refreshed:
                        refreshed, sent = True, False
                        self._token.invalidate(token)
                    elif method == "GET" and errcode in BUSY and busy + 1 < BUSY_TRIES:
                        busy += 1
                        pause = 0.1 * 2**busy * (1 + random.random())
                        if time.monotonic() + pause > give_up_at:
                            raise error
                        await asyncio.sleep(pause)
                    else:
                        if errcode == WINDOW_FULL:
                            await self._limits.budget.close(api)
                        raise error
        except asyncio.TimeoutError as error:
            metrics.WECOM_CALLS.labels(api, "timeout").inc()
            raise WeComAway(f"{api}: no answer within {seconds} s", sent=sent) from error

    async def _send(
        self, method: str, api: str, params: dict[str, str], body: dict[str, Any] | Upload | None
    ) -> dict[str, Any]:
        request: dict[str, Any] = {"headers": {"Content-Type": "application/json"}}
        if isinstance(body, Upload):
            # Many bytes: who calls bounds the time.
            request = {"data": body.form(), "timeout": aiohttp.ClientTimeout(total=None)}
        elif body is not None:
            # WeCom refuses \uXXXX escapes: real UTF-8 on the wire.
            request["data"] = json.dumps(body, ensure_ascii=False).encode()
        try:
            async with self._session.request(
                method, f"{self.corp.api_base}/cgi-bin/{api}", params=params, **request
            ) as response:
                if response.status != 200:
                    raise WeComAway(f"{api}: HTTP {response.status}")
                answer = json.loads(await response.read())
        except (aiohttp.ClientError, ValueError, OSError) as error:
            # The address holds the token: say the kind of error only.
            unconnected = isinstance(error, aiohttp.ClientConnectorError)
            raise WeComAway(f"{api}: {type(error).__name__}", sent=not unconnected) from None
        if not isinstance(answer, dict):
            raise WeComAway(f"{api}: the answer is no object")
        return answer

    async def _fresh_token(self) -> str:
        try:
            return await self._token.get()
        except WeComAway as away:
            raise WeComAway(str(away), sent=False) from away

    async def _fetch_token(self) -> tuple[str, float]:
        answer = await self._send("GET", "gettoken", {"corpid": self.corp.corp_id, "corpsecret": self.app.secret}, None)
        if answer.get("errcode", 0) != 0:
            raise WeComError("gettoken", int(answer["errcode"]), str(answer.get("errmsg", "")))
        return str(answer["access_token"]), float(answer["expires_in"])


class WeComs:
    """The apps of every corp, each made when first asked for. `replicas`: of the buckets that they share."""

    def __init__(self, js: JetStreamContext, sealer: Sealer, corps: Corps, replicas: int = 1) -> None:
        self._js, self._sealer, self._corps, self._replicas = js, sealer, corps, replicas
        self._session: aiohttp.ClientSession | None = None
        self._clients: dict[tuple[str, int], WeCom] = {}
        self._limits: dict[str, Limits] = {}

    def of(self, corp_id: str, agent_id: int = 0) -> WeCom:
        """The app of this id; 0: the corp's main one. Raises NotFound for a corp or an app that is not configured."""
        if (corp_id, agent_id) not in self._clients:
            corp = self._corps.get(corp_id)
            app = corp.app_of(str(agent_id)) if agent_id else corp.main_app
            if app is None:
                raise NotFound("APP_UNKNOWN", f"corp {corp_id!r} has no app {agent_id} configured")
            self._clients[corp_id, agent_id] = self._client(corp, app)
        return self._clients[corp_id, agent_id]

    def _client(self, corp: Corp, app: App) -> WeCom:
        known = self._clients.get((corp.corp_id, app.agent_id))
        if known is not None:
            return known
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=10), connector=aiohttp.TCPConnector(limit=64)
            )
        limits = self._limits.get(corp.corp_id)
        if limits is None:
            limits = self._limits[corp.corp_id] = Limits(self._js, corp.corp_id, self._replicas)
        client = WeCom(self._session, self._js, self._sealer, corp, app, limits, self._replicas)
        self._clients[corp.corp_id, app.agent_id] = client
        return client

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
