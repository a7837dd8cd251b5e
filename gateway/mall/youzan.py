"""Youzan's message push: signature and envelope (reference: mall webhooks, 1.1 and 7). An adapter of `PLATFORMS`."""

from __future__ import annotations

import hashlib
import hmac
import json
from binascii import a2b_qp
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, unquote_plus

from aiohttp import web
from google.protobuf.message import Message

from chassis.errors import Forbidden, Invalid, Unauthenticated
from chassis.kernel.corps import Mall
from gateway.edge import Edge
from gateway.mall.adapter import Opened
from gateway.mall.fields import Object, as_object, as_text, needed, parse
from gateway.mall.youzan_orders import READERS, OrderReader

MOST_BYTES = 512 * 1024
READING = 1
# Documented kinds that nobody reads yet.
UNREAD = (
    "trade_TradePartlySellerShip",
    "trade_TradeMemoModified",
    *(f"trade_refund_{step}" for step in ("BuyerCreated", "RefundSellerAgree", "RefundClosed")),
    *(f"youzan_trade_Refund{step}" for step in ("Created", "SellerAgree", "Closed")),
    "SCRM_CUSTOMER_EVENT",
    "POINTS",
    "ITEM_INFO",
    "ITEM_STATE",
    "ITEM_SKU_INFO",
    "youzan_item_SkuStockChanged",
)
KINDS = frozenset({*READERS, *UNREAD})


def verify(mall: Mall, headers: Mapping[str, str], body: bytes) -> None:
    """Event-Sign = MD5(client_id, body, client_secret). Raises Unauthenticated."""
    signature, client_id = headers.get("Event-Sign", ""), headers.get("Client-Id", "")
    client, secret = mall.own["client_id"].encode(), mall.own["client_secret"].encode()
    expected = hashlib.md5(client + body + secret).hexdigest()
    right = hmac.compare_digest(signature.strip().lower().encode(), expected.encode())
    if not right or not hmac.compare_digest(client_id.encode(), client):
        raise Unauthenticated("SIGNATURE_WRONG", "Event-Sign or Client-Id does not match", field="Event-Sign")


def open(mall: Mall, body: bytes) -> Opened | None:
    """Its parts: the envelope."""
    envelope = as_object(parse(body, "body"), "body")
    shop = mall.own["kdt_id"]
    if str(envelope.get("kdt_id", "")) != shop:
        raise Forbidden("SHOP_WRONG", "the message is about another shop", field="kdt_id")
    if envelope.get("test") is True:
        return None
    kind = needed(envelope.get("type"), "type", MOST_BYTES)
    msg_id = str(envelope.get("msg_id") or "")
    if msg_id:
        return Opened(kind, ("youzan", shop, msg_id), envelope)
    # What a re-send repeats: the envelope's own count of attempts is no part of it.
    msg = json.dumps(envelope.get("msg"), sort_keys=True)
    repeated = (as_text(envelope.get("id")), as_text(envelope.get("version")), hashlib.sha256(msg.encode()).hexdigest())
    return Opened(kind, ("youzan", shop, kind, *repeated), envelope)


def state(edge: Edge, corp_id: str, mall: Mall, message: Opened, arrived_at: datetime) -> Message | None:
    reader = READERS.get(message.kind)
    if reader is None:
        return None
    envelope: Object = message.parts
    return reader(OrderReader(edge, corp_id, mall, envelope, _msg(envelope.get("msg")), arrived_at))


def acknowledge() -> web.Response:
    return web.json_response({"code": 0, "msg": "success"})


def _msg(raw: Any) -> Object:
    """URL-encoded JSON text for the older families, an object for the newer."""
    if isinstance(raw, str):
        try:
            raw = parse(_unquoted(raw), "msg")
        except Invalid:
            raw = parse(unquote_plus(raw), "msg")
    return as_object(raw, "msg")


def _unquoted(text: str) -> str:
    """urllib's unquote, a seventh of its time: what quoted-printable writes as =XX, a URL writes as %XX.

    Every escape shortens the text by two. Where it got shorter by less, there was a stray sign: then urllib decides.
    """
    if text.isascii() and "\n" not in text and "\r" not in text:
        plain = a2b_qp(text.replace("=", "=3D").replace("%", "=").encode())
        if len(plain) == len(text) - 2 * text.count("%"):
            return plain.decode(errors="replace")
    return unquote(text)
