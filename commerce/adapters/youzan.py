"""Youzan's open platform: access token, and who a buyer is (reference: mall webhooks, section 7)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp
from nats.js import JetStreamContext

from chassis.kernel.corps import Mall
from chassis.sealing import Sealer
from chassis.shared_token import SharedToken
from commerce.app.buyers import MallAway, MallRefused

CALL_SECONDS = 5.0
TOKENS = "mall-tokens"
# The query's parameter for each kind of name that may be asked with.
PARAMETERS = {"yz_open_id": "yz_open_id", "phone": "mobile", "unionid": "weixin_union_id", "openid": "weixin_open_id"}
# Accounts at the shop's official account and at its mini program, whose unionids are of the shop's subject. Without the
# list Youzan tells only of the phone account, which knows nothing of WeChat.
OFFICIAL_ACCOUNT, MINI_PROGRAM = 1, 2
TOKEN_CODES = frozenset({4201, 4202, 4203, 10000, 40010})


class Youzan:
    """Calls for every shop (commerce.adapters.malls.MallClient)."""

    def __init__(self, js: JetStreamContext, sealer: Sealer, replicas: int) -> None:
        self._js, self._sealer, self._replicas = js, sealer, replicas
        self._session: aiohttp.ClientSession | None = None
        # A new token ends the one before: replicas share one, or they would cut each other off.
        self._tokens: dict[tuple[str, str], SharedToken] = {}

    async def who(self, corp_id: str, mall: Mall, kind: str, value: str) -> Mapping[str, str]:
        if kind not in PARAMETERS:
            raise MallRefused(f"{mall.id} cannot be asked by {kind}")
        shared = self._token_of(corp_id, mall)
        asked = {PARAMETERS[kind]: value, "result_type_list": [OFFICIAL_ACCOUNT, MINI_PROGRAM]}
        for _ in range(2):
            token = await shared.get()
            answer = await self._post(mall, "/api/youzan.users.info.query/1.0.1", asked, {"access_token": token})
            if answer.get("success") is True:
                return _names(answer.get("data"))
            code = answer.get("code") or (answer.get("gw_err_resp") or {}).get("err_code")
            if code not in TOKEN_CODES:
                # Youzan's codes do not tell a refusal from a throttle: ask again, ever more rarely.
                raise MallAway(f"users.info.query: code {code}")
            shared.invalidate(token)
        raise MallAway("users.info.query: the token is refused")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _token_of(self, corp_id: str, mall: Mall) -> SharedToken:
        token = self._tokens.get((corp_id, mall.id))
        if token is None:
            token = self._tokens[corp_id, mall.id] = SharedToken(
                self._js,
                self._sealer,
                corp_id,
                "\x00".join((mall.platform, mall.own["kdt_id"], mall.own["client_id"], mall.own["client_secret"])),
                partial(self._fetch_token, mall),
                bucket=TOKENS,
                replicas=self._replicas,
            )
        return token

    async def _fetch_token(self, mall: Mall) -> tuple[str, float]:
        asked = {
            "client_id": mall.own["client_id"],
            "client_secret": mall.own["client_secret"],
            "authorize_type": "silent",
            "grant_id": mall.own["kdt_id"],
        }
        answer = await self._post(mall, "/auth/token", asked, {})
        data = answer.get("data")
        if answer.get("success") is not True or not isinstance(data, dict):
            raise MallAway(f"auth/token: code {answer.get('code')}")
        try:
            # `expires` is a moment in milliseconds.
            return str(data["access_token"]), float(data["expires"]) / 1000 - time.time()
        except (KeyError, TypeError, ValueError):
            raise MallAway("auth/token: the answer has no token") from None

    async def _post(self, mall: Mall, path: str, body: Mapping[str, Any], params: dict[str, str]) -> dict[str, Any]:
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
    """Other names of the buyer. The inner field names are Youzan's and stand only here.

    Accounts without WeChat say nothing; Youzan's own official account names unionids of Youzan's subject.
    """
    users = data.get("user_list") if isinstance(data, dict) else None
    unionids: dict[int, str] = {}
    for user in users if isinstance(users, list) else ():
        wechat = user.get("wechat_info") if isinstance(user, dict) else None
        if isinstance(wechat, dict) and wechat.get("union_id"):
            unionids.setdefault(_number(wechat.get("wechat_type")), str(wechat["union_id"]))
    found = unionids.get(OFFICIAL_ACCOUNT) or unionids.get(MINI_PROGRAM)
    return {"unionid": found} if found else {}


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1
