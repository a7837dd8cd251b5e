"""The Youzan shop's API: token, and who a buyer is (reference: mall webhooks, 7)."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from aiohttp import web

from deploy.sandbox import hostile
from deploy.sandbox.faults import Faults
from deploy.sandbox.people import Person
from deploy.sandbox.shop import open_id
from deploy.sandbox.world import Corp, World

TOKEN_SECONDS = 7 * 86400
PHONE_ACCOUNT, OFFICIAL_ACCOUNT, MINI_PROGRAM, YOUZANS_OWN = 0, 1, 2, 9


class ShopApi:
    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        # token → corp, until. Of each (corp, shop) the last one alone is good.
        self._tokens: dict[str, tuple[str, float]] = {}
        self._newest: dict[tuple[str, str], str] = {}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/auth/token", self._token)
        app.router.add_post("/api/youzan.users.info.query/1.0.1", self._query)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)

        async def run() -> web.Response:
            for corp in self._world.corps.values():
                for mall in corp.config.get("mall", []):
                    asked = (body.get("client_id"), body.get("client_secret"), body.get("grant_id"))
                    if (mall["client_id"], mall["client_secret"], mall["kdt_id"]) == asked:
                        return web.json_response({"code": 200, "success": True, "data": self._issue(corp, mall)})
            answer = {"code": 1001, "success": False, "message": "client or shop unknown", "data": None}
            return web.json_response(answer)

        return await hostile.answer(self._faults, request, run)

    def _issue(self, corp: Corp, mall: dict[str, Any]) -> dict[str, Any]:
        """A new token, which ends the one before."""
        token, until = secrets.token_hex(16), time.time() + TOKEN_SECONDS
        key = (corp.corp_id, mall["kdt_id"])
        self._tokens.pop(self._newest.get(key, ""), None)
        self._newest[key] = token
        self._tokens[token] = (corp.corp_id, until)
        return {"access_token": token, "expires": int(until * 1000), "scope": "", "authority_id": mall["kdt_id"]}

    async def _query(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)

        async def run() -> web.Response:
            corp_id, until = self._tokens.get(request.query.get("access_token", ""), ("", 0.0))
            if until < time.time():
                return web.json_response({"gw_err_resp": {"err_code": 4203, "err_msg": "invalid token"}})
            try:
                kinds = [int(kind) for kind in body.get("result_type_list") or [PHONE_ACCOUNT]]
            except (TypeError, ValueError):
                answer = {"code": 1002, "success": False, "message": "result_type_list is wrong", "data": None}
                return web.json_response(answer)
            asked, person = _found(self._world.corps[corp_id], body)
            users = [_user(person, asked, kind) for kind in kinds if _has(person, kind)] if person else []
            return web.json_response({"code": 200, "success": True, "data": {"user_list": users}})

        return await hostile.answer(self._faults, request, run)


def _found(corp: Corp, body: dict[str, Any]) -> tuple[str, Person | None]:
    """The account that is meant and whose it is. Of several parameters the first in Youzan's order counts."""
    if body.get("yz_open_id"):
        asked = str(body["yz_open_id"])
        return asked, corp.buyer(asked)
    for name, value_of in (
        ("mobile", lambda one: [one.phone]),
        ("weixin_union_id", lambda one: [one.unionid] if one.shop_bound else []),
        ("weixin_open_id", lambda one: [open_id(yz, account) for yz in one.yz_open_ids for account in (1, 2)]),
    ):
        if body.get(name):
            found = next((one for one in corp.people.values() if body[name] in value_of(one)), None)
            return (found.yz_open_ids[0] if found else ""), found
    return "", None


def _has(person: Person, kind: int) -> bool:
    return kind == PHONE_ACCOUNT or (person.shop_bound and kind in (OFFICIAL_ACCOUNT, MINI_PROGRAM, YOUZANS_OWN))


def _user(person: Person, asked: str, kind: int) -> dict[str, Any]:
    """One account. The phone's knows nothing of WeChat; Youzan's own official account shows no unionid."""
    user: dict[str, Any] = {"primitive_info": {"yz_open_id": asked, "account_type": kind}}
    if kind == PHONE_ACCOUNT:
        user["mobile_info"] = {"country_code": "+86", "mobile_encrypted": f"$enc$yz-{asked}$1$"}
        return user
    user["wechat_info"] = {"open_id": open_id(asked, kind), "wechat_type": kind}
    if kind != YOUZANS_OWN:
        user["wechat_info"]["union_id"] = person.unionid
    return user


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
