"""WeCom's callback: URL verification (GET) and events (POST)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache

from aiohttp import web

from chassis.errors import Forbidden, Invalid, NotFound
from chassis.kernel.corps import App, Corp
from chassis.wecom.crypto import CallbackCrypto
from gateway import app_keys
from gateway.edge import read_body
from gateway.wecom.events import read
from gateway.wecom.xml import read_fields

MOST_BYTES = 256 * 1024
XML_TYPES = ("text/xml", "application/xml")


def add_routes(app: web.Application) -> None:
    app.router.add_get("/wecom/callback/{corp_id}/{agent_id}", verify, allow_head=False)
    app.router.add_post("/wecom/callback/{corp_id}/{agent_id}", receive)


async def verify(request: web.Request) -> web.Response:
    """Answers the decrypted echo, and nothing around it."""
    _, _, crypto = _app(request)
    return web.Response(body=_opened(request, crypto, _query(request, "echostr")), content_type="text/plain")


async def receive(request: web.Request) -> web.Response:
    """Answers success when the event is durable. Any refusal changes nothing."""
    corp, app, crypto = _app(request)
    if request.content_type not in XML_TYPES:
        raise web.HTTPUnsupportedMediaType(text=f"expected {XML_TYPES[0]}")
    envelope = read_fields(await read_body(request, MOST_BYTES), "body")
    encrypted = envelope.get("Encrypt", "")
    if not encrypted:
        raise Invalid("ENCRYPT_MISSING", field="Encrypt", expected="the encrypted message")
    plain = _opened(request, crypto, encrypted)
    if envelope.get("ToUserName") not in (corp.corp_id, None):
        raise Forbidden("CORP_WRONG", field="ToUserName", expected=corp.corp_id)
    if (envelope.get("AgentID") or str(app.agent_id)) != str(app.agent_id):
        raise Forbidden("APP_WRONG", field="AgentID", expected=str(app.agent_id))
    event = read_fields(plain, "Encrypt")
    if event.get("ToUserName") != corp.corp_id:
        raise Forbidden("CORP_WRONG", field="ToUserName", expected=corp.corp_id)
    edge = request.app[app_keys.EDGE]
    message = read(edge, corp.corp_id, event, plain.decode(errors="replace"), datetime.now(UTC), app.agent_id)
    await edge.accept(message, corp_id=corp.corp_id, content=("wecom", hashlib.sha256(plain).hexdigest()))
    edge.last_seen.note(corp.corp_id, f"callback.{app.agent_id}")
    return web.Response(text="success")


def _app(request: web.Request) -> tuple[Corp, App, CallbackCrypto]:
    corp = request.app[app_keys.CORPS].find(request.match_info["corp_id"])
    app = corp.app_of(request.match_info["agent_id"]) if corp is not None else None
    if corp is None or app is None:
        raise NotFound("CALLBACK_UNKNOWN", "no such corp or app is configured")
    return corp, app, _crypto(app.callback_token, app.callback_aes_key, corp.corp_id)


@cache
def _crypto(token: str, aes_key: str, corp_id: str) -> CallbackCrypto:
    """One per configured app."""
    return CallbackCrypto(token, aes_key, corp_id)


def _query(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if not value:
        raise Invalid("PARAMETER_MISSING", field=name, expected="a value in the query")
    return value


def _opened(request: web.Request, crypto: CallbackCrypto, encrypted: str) -> bytes:
    crypto.verify(_query(request, "msg_signature"), _query(request, "timestamp"), _query(request, "nonce"), encrypted)
    return crypto.decrypt(encrypted)
