"""WeCom's server API, answer for answer: HTTP 200 with errcode, WeCom's own codes for what is wrong."""

from __future__ import annotations

import json
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import BodyPartReader, web

from deploy.sandbox import address_book, contacts, hostile, media, messages
from deploy.sandbox.errors import WeComRefusal
from deploy.sandbox.faults import Faults
from deploy.sandbox.quota import Quota
from deploy.sandbox.tickets import Tickets
from deploy.sandbox.world import App, Corp, World

CALLS_KEPT = 200_000

Answer = dict[str, Any]
Function = Callable[[Corp, dict[str, Any], App], Awaitable[Answer]]
# The empty list that a refused read still answers with.
EMPTY = {
    "externalcontact/get": "follow_user", "externalcontact/list": "external_userid", "user/simplelist": "userlist",
    "department/list": "department", "externalcontact/list_contact_way": "contact_way",
}  # fmt: skip


class Api:
    def __init__(self, world: World, faults: Faults, tickets: Tickets) -> None:
        self._world = world
        self._faults = faults
        self._quota = Quota(faults)
        self.calls: deque[dict[str, Any]] = deque(maxlen=CALLS_KEPT)
        self._functions: dict[str, Function] = {
            "department/list": address_book.departments,
            "user/simplelist": address_book.members_of,
            "user/list_id": address_book.member_ids,
            "user/get": address_book.member,
            "get_jsapi_ticket": tickets.jsapi,
            "ticket/get": tickets.agent,
            "auth/getuserinfo": address_book.who_signed_in,
            "externalcontact/get_follow_user_list": address_book.members_with_contacts,
            "externalcontact/add_contact_way": contacts.add_contact_way,
            "externalcontact/get_contact_way": contacts.get_contact_way,
            "externalcontact/list_contact_way": contacts.list_contact_way,
            "externalcontact/update_contact_way": contacts.update_contact_way,
            "externalcontact/del_contact_way": contacts.del_contact_way,
            "externalcontact/get": contacts.get_contact,
            "externalcontact/list": contacts.list_contacts,
            "externalcontact/send_welcome_msg": messages.Welcomer(faults).send,
            "media/upload": media.MediaStore(faults).upload,
            "message/send": messages.Messenger(faults).send,
        }

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/cgi-bin/gettoken", self._gettoken)
        app.router.add_route("*", "/cgi-bin/{api:.+}", self._serve)

    async def _gettoken(self, request: web.Request) -> web.StreamResponse:
        corp_id = request.query.get("corpid", "")

        async def run(call: dict[str, Any]) -> Answer:
            call["corp_id"] = corp_id
            app = self._app_of_secret(corp_id, request.query.get("corpsecret"))
            with self._quota.call(corp_id, "gettoken"):
                if self._faults.happens(self._faults.busy):
                    raise WeComRefusal(-1, "system error")
                token, seconds = self._world.corps[corp_id].issue_token(app)
                return {"access_token": token, "expires_in": seconds}

        return await self._perform(request, "gettoken", run)

    def _app_of_secret(self, corp_id: str, secret: str | None) -> App:
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
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        api = request.match_info["api"]
        function = self._functions.get(api)
        if function is None:
            return web.Response(status=404)

        async def run(call: dict[str, Any]) -> Answer:
            body = call["body"] = await _read(request)
            corp, app = self._authorise(request)
            call["corp_id"], call["agent_id"] = corp.corp_id, app.agent_id
            if not app.trusted:
                raise WeComRefusal(60020, "not allow to access from your ip", **_empty(api))
            if not app.may_contacts and api.startswith("externalcontact/"):
                raise WeComRefusal(48002, "api forbidden", **_empty(api))
            with self._quota.call(corp.corp_id, api):
                if self._faults.happens(self._faults.busy):
                    raise WeComRefusal(-1, "system error")
                return await function(corp, body, app)

        return await self._perform(request, api, run)

    async def _perform(
        self, request: web.Request, api: str, run: Callable[[dict[str, Any]], Awaitable[Answer]]
    ) -> web.StreamResponse:
        """Keeps the call with its errcode: -500 when a fault came before the function."""
        call: dict[str, Any] = {"api": api, "corp_id": "", "at": time.time(), "body": {}, "errcode": -500}
        self.calls.append(call)

        async def answered() -> web.Response:
            try:
                answer = await run(call)
            except WeComRefusal as refusal:
                call["errcode"] = refusal.errcode
                return _refuse(refusal, request)
            call["errcode"] = 0
            return _json({"errcode": 0, "errmsg": "ok", **answer})

        return await hostile.answer(self._faults, request, answered)

    def _authorise(self, request: web.Request) -> tuple[Corp, App]:
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
        return corp, corp.apps[agent_id]


async def _read(request: web.Request) -> dict[str, Any]:
    body: Any = dict(request.query)
    body.pop("access_token", None)
    if request.content_type == "multipart/form-data":
        return {**body, **await _form(request)}
    if request.method == "POST":
        try:
            body = json.loads(await request.read())
        except ValueError:
            raise WeComRefusal(40035, "Warning: wrong json format") from None
    if not isinstance(body, dict):
        raise WeComRefusal(40035, "invalid parameter")
    return body


async def _form(request: web.Request) -> dict[str, Any]:
    """Of the part `media` its name and bytes; nothing without such a part."""
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "media":
            content = bytearray()
            while chunk := await part.read_chunk():
                content += chunk
            return {"name": part.filename or "", "content": bytes(content)}
    return {}


def _empty(api: str) -> dict[str, list[Any]]:
    return {EMPTY[api]: []} if api in EMPTY else {}


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
