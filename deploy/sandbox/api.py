"""WeCom's server API, answer for answer: HTTP 200 with errcode, WeCom's own codes for what is wrong."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from deploy.sandbox import contacts, messages
from deploy.sandbox.errors import WeComRefusal
from deploy.sandbox.faults import Faults
from deploy.sandbox.world import Corp, World

CALLS_PER_MINUTE = 10_000
BLOCK_SECONDS = 60.0
CALLS_KEPT = 200_000

Answer = dict[str, Any]
Function = Callable[[Corp, dict[str, Any], int], Awaitable[Answer]]


class Api:
    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        self.calls: deque[dict[str, Any]] = deque(maxlen=CALLS_KEPT)
        self._minute: dict[tuple[str, str], tuple[int, int]] = {}
        self._blocked: dict[tuple[str, str], float] = defaultdict(float)
        self._functions: dict[str, Function] = {
            "department/list": departments,
            "user/simplelist": members_of,
            "user/get": member,
            "auth/getuserinfo": who_signed_in,
            "externalcontact/add_contact_way": contacts.add_contact_way,
            "externalcontact/get_contact_way": contacts.get_contact_way,
            "externalcontact/list_contact_way": contacts.list_contact_way,
            "externalcontact/update_contact_way": contacts.update_contact_way,
            "externalcontact/del_contact_way": contacts.del_contact_way,
            "externalcontact/get": contacts.get_contact,
            "externalcontact/list": contacts.list_contacts,
            "externalcontact/send_welcome_msg": messages.Welcomer(faults).send,
            "message/send": messages.send_app_message,
        }

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/cgi-bin/gettoken", self._gettoken)
        app.router.add_route("*", "/cgi-bin/{api:.+}", self._serve)

    async def _gettoken(self, request: web.Request) -> web.Response:
        corp_id, secret = request.query.get("corpid"), request.query.get("corpsecret")
        try:
            if not corp_id:
                raise WeComRefusal(41002, "corpid missing")
            if not secret:
                raise WeComRefusal(41004, "corpsecret missing")
            corp = self._world.corps.get(corp_id)
            if corp is None:
                raise WeComRefusal(40013, "invalid corpid")
            app = corp.app_of_secret(secret)
            if app is None:
                foreign = any(other.app_of_secret(secret) for other in self._world.corps.values())
                raise WeComRefusal(40091 if foreign else 40001, "invalid credential")
            token, seconds = corp.issue_token(app)
            return _answer({"access_token": token, "expires_in": seconds})
        except WeComRefusal as refusal:
            return _refuse(refusal, request)

    async def _serve(self, request: web.Request) -> web.Response:
        api = request.match_info["api"]
        function = self._functions.get(api)
        if function is None:
            return web.Response(status=404)
        started = time.time()
        body: dict[str, Any] = {}
        errcode, corp_id = 0, ""
        try:
            if self._faults.happens(self._faults.slow):
                await asyncio.sleep(self._faults.slow_seconds)
            if self._faults.happens(self._faults.http_5xx):
                errcode = -500
                return web.Response(status=502)
            body = await self._read(request)
            corp, agent_id = self._authorise(request)
            corp_id = corp.corp_id
            self._count(corp_id, api)
            return _answer(await function(corp, body, agent_id))
        except WeComRefusal as refusal:
            errcode = refusal.errcode
            return _refuse(refusal, request)
        finally:
            kept = {key: value for key, value in body.items() if key != "access_token"}
            self.calls.append({"api": api, "corp_id": corp_id, "at": started, "body": kept, "errcode": errcode})

    async def _read(self, request: web.Request) -> dict[str, Any]:
        body: Any = dict(request.query)
        body.pop("access_token", None)
        if request.method == "POST":
            try:
                body = json.loads(await request.read())
            except ValueError:
                raise WeComRefusal(40035, "Warning: wrong json format") from None
        if not isinstance(body, dict):
            raise WeComRefusal(40035, "invalid parameter")
        return body

    def _authorise(self, request: web.Request) -> tuple[Corp, int]:
        token = request.query.get("access_token")
        if not token:
            raise WeComRefusal(41001, "access_token missing")
        corp = self._world.corp_of_token(token)
        if corp is None:
            raise WeComRefusal(40014, "invalid access_token")
        _, until, agent_id = corp.tokens[token]
        if until < time.time() or self._faults.happens(self._faults.token_expiry):
            del corp.tokens[token]
            raise WeComRefusal(42001, "access_token expired")
        return corp, agent_id

    def _count(self, corp_id: str, api: str) -> None:
        """Per-minute quota: going over it closes the API for a minute."""
        key, now = (corp_id, api), time.time()
        minute, calls = self._minute.get(key, (0, 0))
        this_minute = int(now // 60)
        calls = calls + 1 if minute == this_minute else 1
        self._minute[key] = (this_minute, calls)
        if calls > CALLS_PER_MINUTE:
            self._blocked[key] = now + BLOCK_SECONDS
        if self._blocked[key] > now or self._faults.happens(self._faults.limited):
            raise WeComRefusal(45009, "api freq out of limit")
        if self._faults.happens(self._faults.busy):
            raise WeComRefusal(-1, "system error")


async def departments(corp: Corp, body: dict[str, Any], _: int) -> Answer:
    return {"department": corp.departments}


async def members_of(corp: Corp, body: dict[str, Any], _: int) -> Answer:
    try:
        department = int(body["department_id"])
    except (KeyError, ValueError):
        raise WeComRefusal(60003, "department not found") from None
    if department not in {one["id"] for one in corp.departments}:
        raise WeComRefusal(60003, "department not found")
    return {
        "userlist": [
            {"userid": m.userid, "name": m.name, "department": m.departments}
            for m in corp.members.values()
            if department in m.departments
        ]
    }


async def member(corp: Corp, body: dict[str, Any], _: int) -> Answer:
    found = corp.members.get(str(body.get("userid", "")).lower())
    if found is None:
        raise WeComRefusal(60111, "userid not found")
    return {
        "userid": found.userid,
        "name": found.name,
        "department": found.departments,
        "main_department": found.departments[0],
        "status": 1,
    }


async def who_signed_in(corp: Corp, body: dict[str, Any], _: int) -> Answer:
    userid, until = corp.sign_ins.pop(str(body.get("code", "")), ("", 0.0))
    if until < time.time():
        raise WeComRefusal(40029, "invalid code")
    return {"userid": userid}


def _answer(fields: Answer) -> web.Response:
    return _json({"errcode": 0, "errmsg": "ok", **fields})


def _refuse(refusal: WeComRefusal, request: web.Request) -> web.Response:
    hint = f"[{int(time.time())}_1_{secrets.token_hex(16)}]"
    text = (
        f"{refusal.text}, hint: {hint}, from ip: {request.remote}, more info at"
        f" https://open.work.weixin.qq.com/devtool/query?e={refusal.errcode}"
    )
    response = _json({"errcode": refusal.errcode, "errmsg": text, **refusal.fields})
    response.headers["Error-Code"] = str(refusal.errcode)
    response.headers["Error-Msg"] = refusal.text
    return response


def _json(body: Answer) -> web.Response:
    return web.Response(
        body=json.dumps(body, ensure_ascii=False).encode(), content_type="application/json", charset="UTF-8"
    )
