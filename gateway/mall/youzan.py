"""Youzan's message push: signature, envelope, and the messages about orders (reference: mall webhooks, 1.1 and 7)."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, unquote_plus
from zoneinfo import ZoneInfo

from bihuan.common.v1.money_pb2 import Money
from bihuan.mall.v1 import facts_pb2 as pb
from google.protobuf.message import Message
from prometheus_client import Counter

from chassis.errors import Forbidden, Invalid, Unauthenticated
from chassis.kernel.corps import Mall
from chassis.moments import stamp
from gateway.edge import Edge
from gateway.mall.amounts import fen

ACKNOWLEDGED = {"code": 0, "msg": "success"}
BEIJING = ZoneInfo("Asia/Shanghai")
CNY = "CNY"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
PUNCTUATION = tuple((f"%{ord(sign):02X}", sign) for sign in '" :,{}[]')
UNREAD = Counter("bihuan_mall_messages_unread_total", "Mall messages we acknowledge and have no use for", ["type"])


@dataclass(frozen=True, slots=True)
class Read:
    """A fact, and the content that identifies its message."""

    fact: Message
    content: tuple[str, ...]


def verify(mall: Mall, signature: str, client_id: str, body: bytes) -> None:
    """Event-Sign = MD5(client_id, body, client_secret). Raises Unauthenticated."""
    client, secret = mall.own["client_id"].encode(), mall.own["client_secret"].encode()
    expected = hashlib.md5(client + body + secret).hexdigest()
    right = hmac.compare_digest(signature.strip().lower().encode(), expected.encode())
    if not right or not hmac.compare_digest(client_id.encode(), client):
        raise Unauthenticated("SIGNATURE_WRONG", "Event-Sign or Client-Id does not match", field="Event-Sign")


def read(edge: Edge, corp_id: str, mall: Mall, body: bytes, arrived_at: datetime) -> Read | None:
    """The fact a message states; None for kinds that we acknowledge without use. Raises Invalid or Forbidden."""
    envelope = _object(_json(body, "body"), "body")
    if str(envelope.get("kdt_id", "")) != mall.own["kdt_id"]:
        raise Forbidden("SHOP_WRONG", "the message is about another shop", field="kdt_id")
    if envelope.get("test") is True:
        return None
    kind = _text(envelope, "type", "type")
    build = MESSAGES.get(kind)
    if build is None:
        UNREAD.labels(kind if kind.isascii() and len(kind) < 60 else "other").inc()
        return None
    msg = _msg(envelope.get("msg"))
    reader = _Reader(edge, corp_id, mall.id, envelope, msg, arrived_at)
    fact = build(reader)
    msg_id = str(envelope.get("msg_id") or "")
    if msg_id:
        return Read(fact, ("youzan", mall.own["kdt_id"], msg_id))
    digest = hashlib.sha256(body).hexdigest()
    return Read(fact, ("youzan", mall.own["kdt_id"], kind, reader.order_id, str(msg.get("refund_id", "")), digest))


class _Reader:
    """Reads one message's fields, naming the one that is wrong."""

    def __init__(
        self,
        edge: Edge,
        corp_id: str,
        mall_id: str,
        envelope: dict[str, Any],
        msg: dict[str, Any],
        arrived_at: datetime,
    ) -> None:
        self._edge, self._corp_id, self._mall_id = edge, corp_id, mall_id
        self._envelope, self._arrived_at = envelope, arrived_at
        self.msg = msg
        self.full = _object(msg.get("full_order_info"), "msg.full_order_info") if "full_order_info" in msg else {}
        self.info = _object(self.full.get("order_info"), "order_info") if self.full else {}
        self.order_id = _text(self.info or msg, "tid", "tid")

    def order(self, at: datetime) -> pb.OrderRef:
        return pb.OrderRef(
            corp_id=self._corp_id,
            mall_id=self._mall_id,
            order_id=self.order_id,
            version=self._version(),
            at=stamp(at),
            arrived_at=stamp(self._arrived_at),
        )

    def _version(self) -> int:
        raw = self._envelope.get("version", self.msg.get("version"))
        try:
            version = int(raw)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            version = -1
        if isinstance(raw, bool) or not 0 <= version < 2**53:
            raise Invalid("VERSION_WRONG", field="version", expected="a whole number, 0 or more")
        return version

    def moment(self, holder: dict[str, Any], name: str) -> datetime:
        """Beijing time without a zone, as Youzan writes it."""
        text = _text(holder, name, name)
        try:
            # What strptime reads too, only faster.
            usual = MOMENT.fullmatch(text)
            naive = datetime.fromisoformat(text) if usual else datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
        except ValueError:
            raise Invalid("TIME_WRONG", field=name, expected="yyyy-MM-dd HH:mm:ss") from None
        return naive.replace(tzinfo=BEIJING).astimezone(UTC)

    def detail(self) -> pb.OrderDetail:
        if not self.full:
            raise Invalid("FIELD_MISSING", field="msg.full_order_info", expected="the whole order")
        pay = _object(self.full.get("pay_info"), "pay_info")
        detail = pb.OrderDetail(created_at=stamp(self.moment(self.info, "created")))
        # `payment` is what the buyer pays in the end; `total_fee` is before discounts.
        detail.total.CopyFrom(_money(pay.get("payment", pay.get("total_fee")), "pay_info.payment"))
        buyer = _object(self.full.get("buyer_info") or {}, "buyer_info")
        name = self._edge.identifier(self._corp_id, "yz_open_id", str(buyer.get("yz_open_id") or ""))
        if name is not None:
            detail.buyer.append(name)
        lines = self.full.get("orders") or []
        if not isinstance(lines, list):
            raise Invalid("FIELD_WRONG", field="orders", expected="a list")
        for position, raw in enumerate(lines):
            detail.lines.append(_line(_object(raw, f"orders[{position}]"), position))
        return detail


def _line(line: dict[str, Any], position: int) -> pb.OrderLine:
    field = f"orders[{position}]"
    try:
        quantity = int(line.get("num", 1))
    except (TypeError, ValueError):
        quantity = -1
    if not 0 <= quantity < 2**31:
        raise Invalid("QUANTITY_WRONG", field=f"{field}.num", expected="a whole number, 0 or more")
    return pb.OrderLine(
        line_id=_text(line, "oid", f"{field}.oid"),
        product_id=_clean(line.get("item_id")),
        title=_clean(line.get("title")),
        quantity=quantity,
        paid=_money(line.get("payment", "0"), f"{field}.payment"),
    )


def _created(r: _Reader) -> Message:
    detail = r.detail()
    return pb.OrderCreated(order=r.order(r.moment(r.info, "created")), detail=detail)


def _paid(r: _Reader) -> Message:
    detail, paid_at = r.detail(), r.moment(r.info, "pay_time")
    return pb.OrderPaid(order=r.order(paid_at), detail=detail, paid=detail.total, paid_at=stamp(paid_at))


def _closed(r: _Reader) -> Message:
    return pb.OrderClosed(order=r.order(r.moment(r.msg, "update_time")), reason=_clean(r.msg.get("close_reason")))


def _refunded(r: _Reader) -> Message:
    return pb.RefundSucceeded(
        order=r.order(r.moment(r.msg, "update_time")),
        refund_id=_text(r.msg, "refund_id", "refund_id"),
        amount=_money(r.msg.get("refunded_fee"), "refunded_fee"),
    )


MESSAGES: dict[str, Callable[[_Reader], Message]] = {
    "trade_TradeCreate": _created,
    "trade_TradePaid": _paid,
    "trade_TradeSellerShip": lambda r: pb.OrderShipped(order=r.order(r.moment(r.msg, "update_time"))),
    "trade_TradeSuccess": lambda r: pb.OrderCompleted(order=r.order(r.moment(r.msg, "update_time"))),
    "trade_TradeClose": _closed,
    "trade_refund_RefundSuccess": _refunded,
    "trade_refund_SysRefund": _refunded,
    "youzan_trade_RefundSuccess": _refunded,
}


def _money(value: Any, field: str) -> Money:
    return Money(amount=fen(value, field), currency=CNY)


def _msg(raw: Any) -> dict[str, Any]:
    """URL-encoded JSON text for the older families, an object for the newer."""
    if isinstance(raw, str):
        try:
            raw = json.loads(_unquoted(raw))
        except (ValueError, RecursionError):
            raw = _json(unquote_plus(raw), "msg")
    return _object(raw, "msg")


def _unquoted(text: str) -> str:
    """urllib's unquote, which takes a turn for every escape; most are JSON's punctuation, done here all at once.

    That makes no new escape: none of them is a per cent sign or a hexadecimal digit.
    """
    for escape, sign in PUNCTUATION:
        text = text.replace(escape, sign)
    return unquote(text)


def _json(raw: bytes | str, field: str) -> Any:
    try:
        return json.loads(raw.decode() if isinstance(raw, bytes) else raw)
    except (ValueError, RecursionError):
        raise Invalid("JSON_WRONG", field=field, expected="JSON in UTF-8") from None


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("FIELD_WRONG", field=field, expected="an object")
    return value


def _text(holder: dict[str, Any], name: str, field: str) -> str:
    value = holder.get(name)
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not text or len(text) > 200 or not text.isprintable():
        raise Invalid("FIELD_MISSING" if value is None else "FIELD_WRONG", field=field, expected="text")
    return text


def _clean(value: Any) -> str:
    """Text that is only shown: what no store takes (NUL, lone surrogates) falls away."""
    text = str(value) if isinstance(value, (str, int)) else ""
    return text.encode(errors="ignore").decode().replace("\x00", "")[:500]
