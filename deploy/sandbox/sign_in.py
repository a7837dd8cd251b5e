"""WeCom's OAuth2 page, and its web login: choose who you are; `as` in the address chooses at once."""

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
        app.router.add_get("/wwlogin/sso/login", self._web_login)

    async def _web_login(self, request: web.Request) -> web.Response:
        if request.query.get("login_type") != "CorpApp":
            return web.Response(status=400, text="login_type: expected CorpApp")
        corp = self._world.corps.get(request.query.get("appid", ""))
        if corp is not None and request.query.get("agentid") not in {str(agent_id) for agent_id in corp.apps}:
            return web.Response(status=400, text="agentid: expected an app of the corp")
        return await self._authorise(request)

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


# Of whom the page offers one first, by the corps file's roles.
OFFERED = {
    "ADMIN": ("管理员", "全部功能与设置"),
    "OPERATOR": ("运营", "渠道、活码、欢迎语"),
    "MANAGER": ("部门主管", "本部门的客户与员工"),
    "FRONTLINE": ("一线员工", "自己的客户与提醒"),
}
STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.6 system-ui,"PingFang SC","Noto Sans CJK SC",sans-serif;max-width:44rem;margin:8vh auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}p{opacity:.75;margin:.25rem 0 1.5rem}
.offered{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.75rem}
.offered a{border:1px solid #8886;border-radius:12px;padding:1rem 1.1rem;color:inherit}
.offered a:hover,.offered a:focus-visible{border-color:#2765cf;outline:2px solid #2765cf55}
.offered b{display:block;font-size:1.1rem}
ul{columns:3 10rem;padding:0;list-style:none}a{text-decoration:none}small{opacity:.7}
summary{cursor:pointer;margin-top:2rem}
"""


def _page(corp: Corp, address: str) -> str:
    def way(userid: str) -> str:
        return f"{html.escape(address)}&amp;as={quote(userid)}"

    granted = {grant["role"]: grant["userid"] for grant in reversed(corp.config.get("role", []))}
    ordinary = next((userid for userid in sorted(corp.members) if userid not in granted.values()), None)
    if ordinary is not None:
        granted.setdefault("FRONTLINE", ordinary)
    offered = "".join(
        f'<a href="{way(granted[role])}"><b>{name}</b>{what}<br><small>{html.escape(corp.members[granted[role]].name)}'
        f" · {html.escape(granted[role])}</small></a>"
        for role, (name, what) in OFFERED.items()
        if granted.get(role) in corp.members
    )
    links = "".join(
        f'<li><a href="{way(member.userid)}">{html.escape(member.name)} <small>{html.escape(member.userid)}</small></a>'
        for member in sorted(corp.members.values(), key=lambda m: (m.departments[0] != 1, m.userid))
    )
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>企业微信登录（沙箱）</title><style>{STYLE}</style><main>"
        f"<h1>以谁的身份登录？</h1><p>{html.escape(corp.config['name'])} · 沙箱代替企业微信的扫码登录</p>"
        f'<div class="offered">{offered}</div>'
        f"<details><summary>其他成员</summary><ul>{links}</ul></details></main></html>"
    )
