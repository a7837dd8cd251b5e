"""Youzan's messages about orders and refunds become facts (reference: mall webhooks, 1.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.common.v1.money_pb2 import Money
from bihuan.mall.v1 import facts_pb2 as pb
from google.protobuf.message import Message

from chassis.errors import Invalid
from chassis.kernel.corps import Mall
from chassis.moments import stamp
from gateway.bounds import check_moment
from gateway.edge import Edge
from gateway.mall.amounts import fen
from gateway.mall.fields import Object, as_list, as_object, as_text, get, needed, optional, shown, whole

MOST_LINES = 500
# The merchant's own numbers of products and skus.
MOST_OUTER = 128
MOST_PLACE = 40
MOST_SOURCE = 64
BEIJING = ZoneInfo("Asia/Shanghai")
CNY = "CNY"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
# A buyer who came by WeChat has an openid as `outer_user_id`; who came otherwise has something else.
OPENID = re.compile(r"o[A-Za-z0-9_-]{5,63}", re.ASCII)


class OrderReader:
    """Reads one message's fields, naming the one that is wrong."""

    def __init__(
        self, edge: Edge, corp_id: str, mall: Mall, envelope: Object, msg: Object, arrived_at: datetime
    ) -> None:
        self._edge, self._corp_id, self._mall = edge, corp_id, mall
        self._envelope, self._arrived_at = envelope, arrived_at
        self.msg = msg
        full = get(msg, "full_order_info")
        self.full = as_object(full, "msg.full_order_info") if full is not None else {}
        self.info = as_object(get(self.full, "order_info"), "order_info") if self.full else {}
        self.order_id = needed((self.info or msg).get("tid"), "tid")

    def order(self, at: datetime) -> pb.OrderRef:
        version = self._envelope.get("version", self.msg.get("version"))
        return pb.OrderRef(
            corp_id=self._corp_id,
            mall_id=self._mall.id,
            order_id=self.order_id,
            version=whole(version, 2**53, "VERSION_WRONG", "version"),
            at=stamp(at),
            arrived_at=stamp(self._arrived_at),
        )

    def moment(self, holder: Object, name: str) -> datetime:
        """Beijing time without a zone, as Youzan writes it."""
        text = needed(get(holder, name), name)
        try:
            # What strptime reads too, only faster.
            usual = MOMENT.fullmatch(text)
            naive = datetime.fromisoformat(text) if usual else datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
        except ValueError:
            raise Invalid("TIME_WRONG", field=name, expected="yyyy-MM-dd HH:mm:ss") from None
        moment = naive.replace(tzinfo=BEIJING)
        check_moment(moment, name)
        return moment.astimezone(UTC)

    def detail(self) -> pb.OrderDetail:
        if not self.full:
            raise Invalid("FIELD_MISSING", field="msg.full_order_info", expected="the whole order")
        pay = as_object(get(self.full, "pay_info"), "pay_info")
        source, channel = self._source()
        detail = pb.OrderDetail(
            created_at=stamp(self.moment(self.info, "created")), region=self._region(), source=source, channel=channel
        )
        # `payment` is what the buyer pays in the end; `total_fee` is before discounts.
        payment = pay.get("payment")
        detail.total.CopyFrom(_money(payment if payment is not None else get(pay, "total_fee"), "pay_info.payment"))
        self._name_buyer(detail)
        lines = as_list(self.full.get("orders") or [], MOST_LINES, "orders")
        for position, raw in enumerate(lines):
            field = f"orders[{position}]"
            detail.lines.append(_line(as_object(raw, field), field))
        return detail

    def _name_buyer(self, detail: pb.OrderDetail) -> None:
        """Only what names the buyer: the receiver may be anybody. A phone that the shop has encrypted names nobody."""
        buyer = as_object(get(self.full, "buyer_info") or {}, "buyer_info")
        outer = as_text(get(buyer, "outer_user_id"))
        for kind, value in (
            ("yz_open_id", as_text(get(buyer, "yz_open_id"))),
            ("openid", outer if OPENID.fullmatch(outer) else ""),
            ("phone", as_text(get(buyer, "buyer_phone"))),
        ):
            if value:
                name = self._edge.identifier(self._corp_id, kind, value, self._mall.scope_of(kind))
                if name is not None:
                    detail.buyer.append(name)

    def _region(self) -> pb.Region | None:
        address = get(self.full, "address_info")
        if not isinstance(address, dict):
            return None
        province, city, county = (
            shown(get(address, f"delivery_{part}"), MOST_PLACE) for part in ("province", "city", "district")
        )
        return pb.Region(province=province, city=city, county=county) if province or city or county else None

    def _source(self) -> tuple[str, str]:
        """Page or campaign, and sales channel. The inner names are Youzan's and stand only here."""
        info = get(self.full, "source_info")
        if not isinstance(info, dict):
            return "", ""
        inner = info.get("source")
        source = inner if isinstance(inner, dict) else {}
        entrance, platform = get(source, "wx_entrance"), source.get("platform")
        return shown(entrance or get(info, "order_mark"), MOST_SOURCE), shown(platform, MOST_SOURCE)


def _line(line: Object, field: str) -> pb.OrderLine:
    quantity = whole(line.get("num", 1), 2**31, "QUANTITY_WRONG", f"{field}.num")
    paid = _money(line.get("payment", "0"), f"{field}.payment")
    read = pb.OrderLine(
        line_id=needed(line.get("oid"), f"{field}.oid"),
        product_id=optional(get(line, "item_id"), f"{field}.item_id"),
        title=shown(line.get("title")),
        quantity=quantity,
        paid=paid,
        sku_id=optional(get(line, "sku_id"), f"{field}.sku_id"),
        outer_product_id=optional(get(line, "outer_item_id"), f"{field}.outer_item_id", MOST_OUTER),
        outer_sku_id=optional(get(line, "outer_sku_id"), f"{field}.outer_sku_id", MOST_OUTER),
    )
    price = line.get("price")
    if price is not None:
        read.price.CopyFrom(_money(price, f"{field}.price"))
        # What the line would cost without discounts; a price that was rounded says a little less than the total.
        total = get(line, "total_fee")
        whole_fen = max(read.price.amount * quantity, fen(total, f"{field}.total_fee") if total is not None else 0)
        if paid.amount <= whole_fen < 2**53:
            read.discount.CopyFrom(Money(amount=whole_fen - paid.amount, currency=CNY))
    return read


def _created(r: OrderReader) -> Message:
    detail = r.detail()
    return pb.OrderCreated(order=r.order(r.moment(r.info, "created")), detail=detail)


def _paid(r: OrderReader) -> Message:
    detail, paid_at = r.detail(), r.moment(r.info, "pay_time")
    return pb.OrderPaid(order=r.order(paid_at), detail=detail, paid=detail.total, paid_at=stamp(paid_at))


def _closed(r: OrderReader) -> Message:
    reason = shown(get(r.msg, "close_reason"))
    return pb.OrderClosed(order=r.order(r.moment(r.msg, "update_time")), reason=reason)


def _refunded(r: OrderReader) -> Message:
    """The old family's and the new one's: both may tell of one refund, under its one number."""
    amount = _money(get(r.msg, "refunded_fee"), "refunded_fee")
    line_id = optional(r.msg.get("oid"), "oid")
    return pb.RefundSucceeded(
        order=r.order(r.moment(r.msg, "update_time")),
        refund_id=needed(get(r.msg, "refund_id"), "refund_id"),
        amount=amount,
        lines=[pb.RefundLine(line_id=line_id, amount=amount)] if line_id else [],
    )


READERS: dict[str, Callable[[OrderReader], Message]] = {
    "trade_TradeCreate": _created,
    "trade_TradePaid": _paid,
    # Paid too, and to be shipped: the same order at a later version.
    "trade_TradeBuyerPay": _paid,
    "trade_TradeSellerShip": lambda r: pb.OrderShipped(order=r.order(r.moment(r.msg, "update_time"))),
    "trade_TradeSuccess": lambda r: pb.OrderCompleted(order=r.order(r.moment(r.msg, "update_time"))),
    "trade_TradeClose": _closed,
    "trade_refund_RefundSuccess": _refunded,
    "trade_refund_SysRefund": _refunded,
    "youzan_trade_RefundSuccess": _refunded,
}


def _money(value: Any, field: str) -> Money:
    return Money(amount=fen(value, field), currency=CNY)
