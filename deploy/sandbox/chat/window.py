"""The chat window: an employee, their contacts, the chat that is open, and our sidebar beside it."""

from __future__ import annotations

import html
import json
from importlib import resources
from urllib.parse import quote, unquote, urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from deploy.sandbox.chat.bridge import Bridge, Seat
from deploy.sandbox.chat.proxy import Proxy
from deploy.sandbox.tickets import Tickets
from deploy.sandbox.world import Corp, World

SEAT = "client_seat"
SIDEBAR, PHONE = "/console/sidebar", "/console/phone"
# The page scrolls; nobody needs a whole company in it.
MOST_SHOWN = 200


class ChatWindow:
    def __init__(self, world: World, tickets: Tickets, site: str, order: Handler) -> None:
        """`order`: what /sandbox/order does."""
        self._world, self._site, self._order = world, site, order
        self._bridge, self._proxy = Bridge(world, tickets, site), Proxy(site)
        files = resources.files("deploy.sandbox.chat")
        self._script = files.joinpath("bridge.js").read_text()
        self._window_script = files.joinpath("window.js").read_text()
        self._style = files.joinpath("window.css").read_text()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._show)
        app.router.add_get("/client/bridge.js", self._give_script)
        app.router.add_post("/client/invoke", self._invoke)
        app.router.add_post("/sandbox/order", self._order)
        app.router.add_get("/client/window.js", self._give_window_script)
        app.router.add_route("*", "/{path:(?:api|auth|console)(?:/.*)?}", self._pass)

        async def close(_: web.Application) -> None:
            await self._proxy.close()

        app.on_cleanup.append(close)
        return app

    async def _show(self, request: web.Request) -> web.Response:
        """`corp_id`, `userid` and `external_userid` in the address; the first of each without it."""
        corp = self._world.corps.get(request.query.get("corp_id", "")) or next(iter(self._world.corps.values()))
        userid = request.query.get("userid", "")
        if userid not in corp.members:
            userid = next(iter(sorted(corp.members, key=lambda one: (not corp.friendships.of_member(one), one))))
        seat = Seat(corp.corp_id, userid, request.query.get("external_userid", ""))
        response = web.Response(text=self._page(corp, seat), content_type="text/html")
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(SEAT, quote(json.dumps([seat.corp_id, seat.userid, seat.external_userid])), samesite="Lax")
        return response

    async def _give_script(self, _: web.Request) -> web.Response:
        return _script(self._script)

    async def _give_window_script(self, _: web.Request) -> web.Response:
        return _script(self._window_script)

    async def _invoke(self, request: web.Request) -> web.Response:
        asked = await request.json()
        here = f"{request.scheme}://{request.host}"
        url = self._site + str(asked["url"]).removeprefix(here)
        answer = self._bridge.invoke(
            self._seat(request), str(asked["name"]), asked["told"], url, configured=bool(asked["configured"])
        )
        return web.json_response(answer)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        return await self._proxy.serve(request, self._seat(request))

    def _seat(self, request: web.Request) -> Seat:
        try:
            corp_id, userid, external_userid = json.loads(unquote(request.cookies[SEAT]))
        except (KeyError, ValueError):
            raise web.HTTPFound("/") from None
        return Seat(str(corp_id), str(userid), str(external_userid))

    def _page(self, corp: Corp, seat: Seat) -> str:
        def way(**told: str) -> str:
            return "/?" + html.escape(urlencode({"corp_id": corp.corp_id, "userid": seat.userid, **told}))

        shown = sorted(corp.members, key=lambda one: (-len(corp.friendships.of_member(one)), one))[:MOST_SHOWN]
        if seat.userid not in shown:
            shown.append(seat.userid)
        employees = "".join(
            f'<option value="{html.escape(one)}"{" selected" if one == seat.userid else ""}>'
            f"{html.escape(corp.members[one].name)} · {html.escape(one)}</option>"
            for one in sorted(shown)
        )
        friends = sorted(corp.friendships.of_member(seat.userid), key=lambda one: -one.created_at)[:MOST_SHOWN]
        chats = "".join(
            f'<a href="{way(external_userid=one.external_userid)}"'
            f"{' aria-current=page' if one.external_userid == seat.external_userid else ''}>"
            f"<b>{html.escape(corp.people[one.external_userid].name)}</b>"
            f"<small>{html.escape(one.external_userid[:12])}…</small></a>"
            for one in friends
            if one.external_userid in corp.people
        )
        person = corp.people.get(seat.external_userid)
        name = html.escape(person.name) if person else "工作台"
        page = f"{SIDEBAR if person else PHONE}?corp_id={quote(corp.corp_id)}"
        return (
            '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1"><title>企业微信（沙箱）</title>'
            f"<style>{self._style}</style><nav>"
            f"<form action=/><label>我是<select name=userid>{employees}</select></label>"
            f'<input type=hidden name=corp_id value="{html.escape(corp.corp_id)}"><button>切换</button></form>'
            f'<a href="{way()}"{"" if person else " aria-current=page"}><b>工作台</b><small>打开应用</small></a>'
            f"<h2>客户</h2>{chats or '<p>还没有客户</p>'}</nav>"
            f"<main><h1>{name}</h1><p>沙箱代替企业微信的聊天窗口。右边是这个聊天的侧边栏：换一个客户，它会重新打开。</p>"
            f"{_order_form(corp, seat) if person else ''}</main>"
            f'<iframe title="侧边栏" src="{page}"></iframe></html>'
        )


def _order_form(corp: Corp, seat: Seat) -> str:
    return (
        f'<form id=order data-corp-id="{html.escape(corp.corp_id)}"'
        f' data-external-userid="{html.escape(seat.external_userid)}">'
        "<label>这位客户在商城下单（元）<input name=yuan value=128.00 inputmode=decimal></label>"
        "<button>下单并付款</button><output></output></form><script src=/client/window.js></script>"
    )


def _script(text: str) -> web.Response:
    return web.Response(
        text=text, content_type="text/javascript", charset="utf-8", headers={"Cache-Control": "no-store"}
    )
