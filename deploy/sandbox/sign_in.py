"""WeCom's OAuth2 page: choose who you are; `as` in the address chooses at once."""

from __future__ import annotations

import html
import re
import secrets
import time
from urllib.parse import quote

from aiohttp import web

from deploy.sandbox.world import SIGN_IN_SECONDS, Corp, World

# What WeCom takes; it may be left out.
STATE = re.compile(r"[a-zA-Z0-9]{0,128}", re.ASCII)


class SignIn:
    def __init__(self, world: World) -> None:
        self._world = world

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/connect/oauth2/authorize", self._authorise)

    async def _authorise(self, request: web.Request) -> web.Response:
        corp = self._world.corps.get(request.query.get("appid", ""))
        back = request.query.get("redirect_uri", "")
        if corp is None or not back.startswith("http"):
            return web.Response(status=400, text="50001 redirect_uri or appid is wrong")
        if not STATE.fullmatch(request.query.get("state", "")):
            return web.Response(status=400, text="state: expected a-zA-Z0-9, at most 128 bytes")
        userid = request.query.get("as")
        if userid is None:
            return web.Response(text=_page(corp, str(request.rel_url)), content_type="text/html")
        if userid not in corp.members or corp.members[userid].status != 1:
            return web.Response(status=400, text="no such member")
        code = secrets.token_urlsafe(24)
        corp.sign_ins[code] = (userid, time.time() + SIGN_IN_SECONDS)
        joint = "&" if "?" in back else "?"
        return web.HTTPFound(f"{back}{joint}code={code}&state={request.query.get('state', '')}")


def _page(corp: Corp, address: str) -> str:
    links = "".join(
        f'<li><a href="{html.escape(address)}&amp;as={quote(member.userid)}">{html.escape(member.name)}'
        f" <small>{html.escape(member.userid)}</small></a></li>"
        for member in sorted(corp.members.values(), key=lambda m: (m.departments[0] != 1, m.userid))
    )
    return (
        '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>企业微信登录（沙箱）</title>"
        "<style>body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:2rem auto;"
        "padding:0 1rem}ul{columns:2;padding:0;list-style:none}a{text-decoration:none}small{opacity:.6}</style>"
        f"<h1>以谁的身份登录？</h1>"
        f"<p>{html.escape(corp.config['name'])} · 沙箱代替企业微信的扫码登录</p><ul>{links}</ul>"
    )
