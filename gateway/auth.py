"""Who is at the door: WeCom sign-in makes a session, programs bring an API key. Sessions are signed, not stored;
those that were ended are."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

import grpc
import jwt
from aiohttp import web
from bihuan.access.v1.access_pb2 import Role
from bihuan.identity.v1 import staff_service_pb2 as pb
from bihuan.identity.v1 import staff_service_pb2_grpc as grpc_pb

from chassis.errors import DomainError, Forbidden, Invalid, NotFound, Unauthenticated
from chassis.kernel.caller import Caller
from chassis.kernel.corps import Corp, Corps
from chassis.moments import stamp
from chassis.rpc import call_metadata
from gateway import problems
from gateway.settings import Settings

COOKIE = "bihuan_session"
# Each sign-in under way has a cookie, named so and by the head of its state: several tabs can sign in at once.
SIGN_IN_COOKIE = "bihuan_sign_in_"
STATE_HEAD = 8
# What the browsers inside WeCom say of themselves.
INSIDE_WECOM = "wxwork"
SIGN_INS_AT_ONCE = 8
MOST_NEXT = 512
ALGORITHM = "HS256"
STATE_SECONDS = 600
KEY_PREFIX = "bhk."
# A revoked key, a dismissed member, a changed role: in force after this at the latest.
MEMORY_SECONDS = 2.0
CALLERS_REMEMBERED = 30_000
SIGN_IN_PAGE = "/console/sign-in"
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Doorkeeper:
    def __init__(self, settings: Settings, corps: Corps, identity: grpc.aio.Channel) -> None:
        self._settings = settings
        self._corps = corps
        self._identity = grpc_pb.AccessServiceStub(identity)
        self._known: OrderedDict[tuple[str, ...], tuple[Caller, float]] = OrderedDict()

    async def caller(self, request: web.Request) -> Caller:
        """Raises Unauthenticated without a valid token, Forbidden for a write that another site started.

        Somebody who is no member any more comes back from identity as PERMISSION_DENIED.
        """
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and bearer:
            token = bearer.strip()
            return await (self._key_holder(token) if token.startswith(KEY_PREFIX) else self._session(token))
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            raise Unauthenticated("TOKEN_MISSING", "sign in at /auth/login or send a bearer token")
        if request.method not in SAFE_METHODS and not _same_origin(request):
            raise Forbidden("CROSS_SITE_WRITE", "a cookie writes only from our own pages")
        return await self._session(cookie)

    async def _session(self, token: str) -> Caller:
        """The token says who; identity says whether they still are, as what, and that they have not signed out."""
        known = self._remembered((token,))
        if known is not None:
            return known
        claims = self._open(token, "session")
        corp_id, userid = claims["corp"], claims["sub"]
        if self._corps.find(corp_id) is None:
            raise Unauthenticated("TOKEN_WRONG", "the token's corp is not served here")
        answer = await self._identity.CheckMember(
            pb.CheckMemberRequest(corp_id=corp_id, userid=userid, session_id=claims.get("jti", "")),
            timeout=5,
            metadata=call_metadata(self._settings.service_key),
        )
        seconds = min(MEMORY_SECONDS, claims["exp"] - time.time())  # no longer than the token lasts
        return self._remember((token,), Caller(corp_id, userid, _role(answer.role)), seconds)

    async def _key_holder(self, key: str) -> Caller:
        known = self._remembered((key,))
        if known is None:
            answer = await self._identity.VerifyApiKey(
                pb.VerifyApiKeyRequest(key=key), timeout=5, metadata=call_metadata(self._settings.service_key)
            )
            known = self._remember((key,), Caller(answer.corp_id, "", _role(answer.role), answer.api_key_id))
        return known

    def _remembered(self, who: tuple[str, ...]) -> Caller | None:
        caller, until = self._known.get(who, (None, 0.0))
        return caller if until > time.monotonic() else None

    def _remember(self, who: tuple[str, ...], caller: Caller, seconds: float = MEMORY_SECONDS) -> Caller:
        self._known.pop(who, None)  # the newest stand last: the first ones are forgotten
        self._known[who] = (caller, time.monotonic() + seconds)
        while len(self._known) > CALLERS_REMEMBERED:
            self._known.popitem(last=False)
        return caller

    async def corps(self, _: web.Request) -> web.Response:
        """Which corps somebody who is not signed in yet may choose from."""
        found = [{"corpId": corp.corp_id, "name": corp.name, "timezone": corp.timezone} for corp in self._corps]
        return web.json_response({"corps": found}, headers={"Cache-Control": "no-store"})

    async def login(self, request: web.Request) -> web.Response:
        """Sends the browser to WeCom. What the sign-in is for stays in this browser, in a signed cookie.

        Inside WeCom that is OAuth2, which no other browser can follow; there it is the web login, by a code to scan.

        WeCom takes 128 letters and digits as state: it is a random number, and no more.
        """
        corp = self._corp(request.query.get("corp_id", ""))
        state = secrets.token_hex(24)
        next_path = _own_path(request.query.get("next", "/console/"))
        claims = self._sign("sign-in", STATE_SECONDS, {"corp": corp.corp_id, "state": state, "next": next_path})
        back = quote(self._settings.public_url + "/auth/callback", safe="")
        agent_id = corp.main_app.agent_id
        if INSIDE_WECOM in request.headers.get("User-Agent", "").lower():
            address = (
                f"{corp.oauth_base}/connect/oauth2/authorize?appid={corp.corp_id}&redirect_uri={back}"
                f"&response_type=code&scope=snsapi_base&state={state}&agentid={agent_id}#wechat_redirect"
            )
        else:
            address = (
                f"{corp.web_login_base}/wwlogin/sso/login?login_type=CorpApp&appid={corp.corp_id}&agentid={agent_id}"
                f"&redirect_uri={back}&state={state}"
            )
        response = web.HTTPFound(address)
        under_way = [name for name in request.cookies if name.startswith(SIGN_IN_COOKIE)]
        for name in under_way[: -(SIGN_INS_AT_ONCE - 1)]:
            response.del_cookie(name, path="/auth")
        self._set_cookie(response, _sign_in_cookie(state), claims, STATE_SECONDS)
        return response

    async def callback(self, request: web.Request) -> web.Response:
        """WeCom's code becomes a session. A fresh token each time: nothing brought along is kept."""
        state = request.query.get("state", "")
        cookie = request.cookies.get(_sign_in_cookie(state))
        if not cookie:
            raise Forbidden("SIGN_IN_FOREIGN", "this sign-in was not begun in this browser, or is over", field="state")
        claims = self._open(cookie, "sign-in")
        if not secrets.compare_digest(claims["state"].encode(), state.encode(errors="replace")):
            raise Forbidden("SIGN_IN_FOREIGN", "this sign-in was begun in another browser", field="state")
        code = request.query.get("code", "")
        if not code:
            raise Invalid("PARAMETER_MISSING", field="code", expected="WeCom's code")
        answer = await self._identity.SignIn(
            pb.SignInRequest(corp_id=claims["corp"], code=code),
            timeout=8,
            metadata=call_metadata(self._settings.service_key),
        )
        token = self._sign("session", self._settings.session_seconds, {"corp": claims["corp"], "sub": answer.userid})
        response = web.HTTPFound(claims["next"])
        self._set_cookie(response, COOKIE, token, self._settings.session_seconds)
        response.del_cookie(_sign_in_cookie(state), path="/auth")
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """Ends the session for good: a copy of its token opens nothing either."""
        token = request.cookies.get(COOKIE) or request.headers.get("Authorization", "").partition(" ")[2].strip()
        with suppress(Unauthenticated):  # nothing to end
            claims = self._open(token, "session")
            self._known.pop((token,), None)
            await self._identity.EndSession(
                pb.EndSessionRequest(
                    corp_id=claims["corp"],
                    session_id=claims.get("jti", ""),
                    until=stamp(datetime.fromtimestamp(claims["exp"], UTC)),
                ),
                timeout=5,
                metadata=call_metadata(self._settings.service_key),
            )
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/")
        return response

    def _corp(self, corp_id: str) -> Corp:
        corps = list(self._corps)
        corp = self._corps.find(corp_id) if corp_id or len(corps) > 1 else corps[0]
        if corp is None:
            raise NotFound("CORP_UNKNOWN", field="corp_id", expected="a corp that is served here")
        return corp

    def _sign(self, use: str, seconds: int, claims: dict[str, Any]) -> str:
        now = int(time.time())
        return jwt.encode(
            {**claims, "aud": use, "iat": now, "exp": now + seconds, "jti": secrets.token_urlsafe(9)},
            self._settings.session_key,
            ALGORITHM,
        )

    def _open(self, token: str, use: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._settings.session_key, [ALGORITHM], audience=use, options={"require": ["exp", "aud"]}
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("TOKEN_EXPIRED", "sign in again") from None
        except jwt.InvalidTokenError:
            raise Unauthenticated("TOKEN_WRONG", "the token is not ours") from None
        return claims

    def _set_cookie(self, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/auth" if name.startswith(SIGN_IN_COOKIE) else "/",
            httponly=True,
            samesite="Lax",
            secure=self._settings.public_url.startswith("https:"),
        )


def add_routes(app: web.Application, doorkeeper: Doorkeeper) -> None:
    app.router.add_get("/auth/corps", doorkeeper.corps)
    app.router.add_get("/auth/login", _told_to_people(doorkeeper.login), allow_head=False)
    app.router.add_get("/auth/callback", _told_to_people(doorkeeper.callback), allow_head=False)
    app.router.add_post("/auth/logout", doorkeeper.logout)


def _told_to_people(handler: Handler) -> Handler:
    """A person whose sign-in is refused reads why on our own page, not as JSON."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (DomainError, grpc.aio.AioRpcError) as error:
            if "text/html" not in request.headers.get("Accept", ""):
                raise
            return web.HTTPFound(f"{SIGN_IN_PAGE}?refused={quote(problems.reason_of(error), safe='')}")

    return serve


def _sign_in_cookie(state: str) -> str:
    """A cookie's name is made of what anybody may have put into the address: only of letters and digits."""
    head = state[:STATE_HEAD]
    return SIGN_IN_COOKIE + (head if head.isascii() and head.isalnum() else "")


def _role(role: Any) -> str:
    return Role.Name(role).removeprefix("ROLE_")


def _same_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.host


def _own_path(path: str) -> str:
    """A path of ours, so that a sign-in never leads elsewhere."""
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    if not ours or len(path) > MOST_NEXT:
        raise Invalid("NEXT_WRONG", field="next", expected=f"a path on this site, at most {MOST_NEXT} characters")
    return path
