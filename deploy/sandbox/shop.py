"""The Youzan shop's messages about orders (reference: mall webhooks, 1.1 and 7)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from deploy.sandbox.delivery import Delivery, youzan_message
from deploy.sandbox.world import Corp

BEIJING = timezone(timedelta(hours=8))
REGIONS = (("浙江省", "杭州市", "西湖区"), ("广东省", "深圳市", "南山区"), ("四川省", "成都市", "武侯区"))
# Where orders come from, in Youzan's words: platform, entrance and the order's mark.
SOURCES = (
    ("wx", "merchant_xcx", "wx_applet"), ("wx", "wx_gzh", "wx_shop"), ("browser", "direct_buy", "weapp_spotlight"),
)  # fmt: skip
STATUS = {
    "trade_TradeCreate": "WAIT_BUYER_PAY", "trade_TradePaid": "TRADE_PAID",
    "trade_TradeBuyerPay": "WAIT_SELLER_SEND_GOODS",
}  # fmt: skip
REFUND_OLD, REFUND_NEW = "trade_refund_RefundSuccess", "youzan_trade_RefundSuccess"


@dataclass(frozen=True)
class Line:
    """One line: what is paid for all its pieces; their list price is that plus the discount."""

    oid: str
    payment_fen: int
    discount_fen: int = 0
    num: int = 1
    product: int = 1


@dataclass(frozen=True)
class Order:
    """`buyer`: a yz_open_id; "" for a guest."""

    order_id: str
    buyer: str
    created: datetime
    lines: Sequence[Line]

    @property
    def payment_fen(self) -> int:
        return sum(line.payment_fen for line in self.lines)


def one_line(order_id: str, buyer: str, created: datetime, fen: int) -> Order:
    return Order(order_id, buyer, created, [Line(order_id[1:], fen)])


class Shop:
    """Makes the messages of one corp's shop."""

    def __init__(self, corp: Corp, mall: dict[str, Any]) -> None:
        self._corp, self._mall = corp, mall

    def order(self, kind: str, order: Order, at: datetime) -> Delivery:
        """A message with the whole order: trade_TradeCreate, or after the payment `at` one of the other two."""
        info: dict[str, Any] = {
            "tid": order.order_id, "status": STATUS[kind], "type": "NORMAL", "created": _text(order.created),
            "update_time": _text(at),
        }  # fmt: skip
        if kind != "trade_TradeCreate":
            info["pay_time"] = _text(at)
        info["order_tags"] = {"is_virtual": False}
        total = sum(line.payment_fen + line.discount_fen for line in order.lines)
        pay = {
            "total_fee": yuan(total), "post_fee": "0.00", "payment": yuan(order.payment_fen), "outer_transactions": [],
        }  # fmt: skip
        full = {
            "order_info": info,
            "pay_info": pay,
            "orders": [self._line(line) for line in order.lines],
            **self._who(order),
        }
        return self._message(kind, STATUS[kind], order.order_id, at, {"full_order_info": full})

    def step(self, kind: str, order_id: str, at: datetime, **more: Any) -> Delivery:
        """A message that only says that something happened: shipped, success, close."""
        return self._message(kind, "", order_id, at, {"tid": order_id, "update_time": _text(at), **more})

    def refund(
        self, order_id: str, refund_id: str, fen: int, at: datetime, *, oid: str = "", newer: bool = False
    ) -> Delivery:
        """Of one line; of the whole order without `oid`. `newer`: said by the family whose msg is an object."""
        msg: dict[str, Any] = {"tid": order_id, "update_time": _text(at)}
        if oid:
            msg["oid"] = oid
        msg |= {"refund_id": refund_id, "refunded_fee": yuan(fen), "version": int(at.timestamp())}
        if newer:
            msg["refund_type"] = "REFUND_ONLY"
        return self._message(REFUND_NEW if newer else REFUND_OLD, "", order_id, at, msg)

    def _line(self, line: Line) -> dict[str, Any]:
        price = (line.payment_fen + line.discount_fen) // line.num
        return {
            "oid": line.oid, "item_id": 500100 + line.product, "sku_id": 600200 + line.product,
            "outer_item_id": f"SPU-{line.product}", "outer_sku_id": f"SKU-{line.product}-A", "title": "CD 唱片",
            "num": line.num, "price": yuan(price), "total_fee": yuan(line.payment_fen + line.discount_fen),
            "discount_price": yuan(price - line.discount_fen // line.num), "payment": yuan(line.payment_fen),
            "sku_properties_name": '[{"k":"size","v":"12"}]',
        }  # fmt: skip

    def _who(self, order: Order) -> dict[str, Any]:
        """Buyer, address and source. Names and phones are the shop's ciphertext; a guest has no account."""
        person = self._corp.buyer(order.buyer)
        number = int.from_bytes(hashlib.sha256((order.buyer or order.order_id).encode()).digest()[:4], "big")
        phone, name = (person.phone, person.name) if person is not None else (f"137{number % 10**8:08d}", "顾客")
        buyer: dict[str, Any] = {"buyer_phone": _ciphertext(phone)}
        if order.buyer:
            buyer["yz_open_id"] = order.buyer
        if person is not None and person.shop_bound:
            buyer |= {"outer_user_id": open_id(order.buyer, 2), "fans_type": 9}
        province, city, county = REGIONS[number % len(REGIONS)]
        platform, entrance, mark = SOURCES[number % len(SOURCES)]
        return {
            "buyer_info": buyer,
            "address_info": {
                "receiver_name": _ciphertext(name), "receiver_tel": _ciphertext(phone), "delivery_province": province,
                "delivery_city": city, "delivery_district": county,
            },
            "source_info": {
                "source": {"platform": platform, "wx_entrance": entrance}, "order_mark": mark,
                "is_offline_order": False,
            },
        }  # fmt: skip

    def _message(self, kind: str, status: str, order_id: str, at: datetime, msg: dict[str, Any]) -> Delivery:
        version = int(at.timestamp())
        return youzan_message(
            self._corp, self._mall, kind, status, order_id, version, msg, as_object=kind.startswith("youzan_")
        )


def open_id(yz_open_id: str, account: int) -> str:
    """The openid at the shop's official account (1) or mini program (2)."""
    return f"o{account}_{yz_open_id}"


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _ciphertext(text: str) -> str:
    """As the shop's key would leave it: nobody here opens it."""
    return "$enc$" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "$1$"


def _text(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
