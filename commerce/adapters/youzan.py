"""Youzan's open platform: access token, and who a buyer is (reference: mall webhooks, section 7)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from chassis.kernel.corps import Corps, Mall
from commerce.app.buyers import MallAway, MallRefused

CALL_SECONDS = 5.0
EARLY_SECONDS = 3600.0
# The query's parameter for each kind of name that may be asked with.
PARAMETERS = {"yz_open_id": "yz_open_id", "phone": "mobile", "unionid": "weixin_union_id", "openid": "weixin_open_id"}
TOKEN_CODES = frozenset({4201, 4202, 4203, 10000, 40010})


class Youzan:
    def __init__(self, corps: Corps) -> None:
        self._corps = corps
        self._session: aiohttp.ClientSession | None = None
        self._tokens: dict[tuple[str, str], tuple[str, float]] = {}
        self._refreshing = asyncio.Lock()

    async def who(self, corp_id: str, mall_id: str, kind: str, value: str) -> Mapping[str, str]:
        mall = self._corps.get(corp_id).mall_of(mall_id)
        if mall is None or kind not in PARAMETERS:
            raise MallRefused(f"{mall_id} cannot be asked by {kind}")
        for fresh in (False, True):
            token = await self._token(corp_id, mall, fresh=fresh)
            answer = await self._post(
                mall, "/api/youzan.users.info.query/1.0.1", {PARAMETERS[kind]: value}, {"access_token": token}
            )
            if answer.get("success") is True:
                return _names(answer.get("data"))
            code = answer.get("code") or (answer.get("gw_err_resp") or {}).get("err_code")
            if code not in TOKEN_CODES:
                # Youzan's codes do not tell a refusal from a throttle: ask again, ever more rarely.
                raise MallAway(f"users.info.query: code {code}")
        raise MallAway("users.info.query: the token is refused")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _token(self, corp_id: str, mall: Mall, *, fresh: bool) -> str:
        key = (corp_id, mall.id)
        async with self._refreshing:
            token, until = self._tokens.get(key, ("", 0.0))
            if fresh or until <= time.time():
                answer = await self._post(
                    mall,
                    "/auth/token",
                    {
                        "client_id": mall.own["client_id"],
                        "client_secret": mall.own["client_secret"],
                        "authorize_type": "silent",
                        "grant_id": mall.own["kdt_id"],
                    },
                    {},
                )
                data = answer.get("data") or {}
                if answer.get("success") is not True or "access_token" not in data:
                    raise MallAway(f"auth/token: code {answer.get('code')}")
                # `expires` is a moment in milliseconds.
                token, until = str(data["access_token"]), float(data["expires"]) / 1000 - EARLY_SECONDS
                self._tokens[key] = (token, until)
            return token

    async def _post(self, mall: Mall, path: str, body: dict[str, str], params: dict[str, str]) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS))
        try:
            async with self._session.post(mall.api_base + path, json=body, params=params) as response:
                if response.status >= 500:
                    raise MallAway(f"{path}: HTTP {response.status}")
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, asyncio.TimeoutError, ValueError, OSError) as error:
            raise MallAway(f"{path}: {type(error).__name__}") from None
        if not isinstance(answer, dict):
            raise MallAway(f"{path}: the answer is no object")
        return answer


def _names(data: Any) -> dict[str, str]:
    """Other names of the first user of the list. The inner field names are Youzan's and stand only here."""
    users = data.get("user_list") if isinstance(data, dict) else None
    if not users:
        return {}
    wechat = users[0].get("wechat_info") or {}
    names = {"unionid": wechat.get("union_id")}
    return {kind: str(value) for kind, value in names.items() if value}
