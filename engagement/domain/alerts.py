"""What alerts say, in one place for all causes (in Chinese: their readers are)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeAlias

# WeCom cuts text messages at 2048 bytes; what does not fit waits for the next one.
MOST_BYTES = 2048
# How long after a rename other services may still state alerts under the former userid.
TOLD_LATE = timedelta(seconds=60)
NAMELESS = "客户"
LOW, NORMAL, HIGH = "LOW", "NORMAL", "HIGH"
NEXT_STEPS = {
    "THANK": "可致谢",
    "ASK_WHY": "可问问原因",
    "GREET": "可打个招呼",
    "LET_REST": "先不打扰",
}


@dataclass(frozen=True, slots=True)
class OrderPaid:
    mall_id: str
    order_id: str
    paid_amount: int  # minor units
    currency: str


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    mall_id: str
    order_id: str
    refund_id: str
    refunded_amount: int  # minor units
    currency: str


@dataclass(frozen=True, slots=True)
class FriendAdded:
    channel_id: str
    returning: bool


@dataclass(frozen=True, slots=True)
class FriendLost:
    added_at: datetime | None


Details: TypeAlias = OrderPaid | OrderRefunded | FriendAdded | FriendLost
# Kind, as it is stored and shown, by what it tells.
KINDS: dict[type[Details], str] = {
    OrderPaid: "ALERT_KIND_ORDER_PAID",
    OrderRefunded: "ALERT_KIND_ORDER_REFUNDED",
    FriendAdded: "ALERT_KIND_FRIEND_ADDED",
    FriendLost: "ALERT_KIND_FRIEND_LOST",
}
_BY_KIND = {kind: details for details, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as its recipient reads it."""

    alert_id: str
    customer_name: str | None
    details: Details
    # A key of NEXT_STEPS, or anything else for none.
    next_step: str
    # Of the channel that a friend came through; None while it is not known.
    channel_name: str | None = None
    # identifier_id of the external_userid.
    contact_id: str = ""


def to_json(details: Details) -> dict[str, Any]:
    """Details as they are stored."""
    fields = asdict(details)
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def from_json(kind: str, stored: Mapping[str, Any]) -> Details:
    """The inverse of `to_json`."""
    if kind == KINDS[FriendLost]:
        added_at = stored["added_at"]
        return FriendLost(datetime.fromisoformat(added_at) if added_at else None)
    return _BY_KIND[kind](**stored)


def sentence(alert: Alert, zone: tzinfo) -> str:
    """The alert on one line; days are those of `zone`."""
    who = " ".join((alert.customer_name or "").split()) or NAMELESS
    match alert.details:
        case OrderPaid() as paid:
            said = f"{who} 付款 {money(paid.paid_amount, paid.currency)}，订单 {paid.order_id}"
        case OrderRefunded() as refund:
            said = f"{who} 退款 {money(refund.refunded_amount, refund.currency)}，订单 {refund.order_id}"
        case FriendAdded(returning=returning):
            channel = " ".join((alert.channel_name or "").split())
            through = f"通过「{channel}」" if channel else ""
            said = f"{who} {through}{'再次添加' if returning else '添加'}您为好友"
        case FriendLost(added_at=added_at):
            since = f"（{added_at.astimezone(zone):%Y-%m-%d} 添加）" if added_at else ""
            said = f"{who} 不再是您的好友{since}"
    advice = NEXT_STEPS.get(alert.next_step)
    return f"{said}，{advice}" if advice else said


def compose(alerts: Sequence[Alert], zone: tzinfo, site: str = "") -> tuple[str, int]:
    """The message and how many of the alerts are inside, oldest first; at least one. Each line ends in its id.

    `site`: where our pages are. Each alert has a link to its customer where all of them fit, and otherwise the message
    one to the workbench: links never push alerts out. Without `site` there are none.
    """
    said = [_plain(sentence(alert, zone)) for alert in alerts]
    lines = [f"{one} · {alert.alert_id}" for one, alert in zip(said, alerts, strict=True)]
    workbench = f" {_link(f'{site}/console/phone', '打开工作台')}" if site else ""
    fitting = len(lines)
    while fitting > 1 and not _fits(_message(alerts, lines[:fitting], workbench)):
        fitting -= 1
    if site:
        linked = [
            f"{one} {_link(f'{site}/console/phone/contacts/{alert.contact_id}', '查看客户')} · {alert.alert_id}"
            for one, alert in zip(said[:fitting], alerts, strict=False)
        ]
        content = _message(alerts, linked, "")
        if _fits(content):
            return content, fitting
    content = _message(alerts, lines[:fitting], workbench)
    return (content if _fits(content) else _message(alerts, lines[:fitting], "")), fitting


def money(amount: int, currency: str) -> str:
    """Minor units of a currency that has two digits of them."""
    digits = f"{amount // 100}.{amount % 100:02d}"
    return f"¥{digits}" if currency in ("CNY", "") else f"{digits} {currency}"


def _plain(text: str) -> str:
    """WeCom makes links of <a>: a customer's name must not."""
    return text.replace("<", "＜").replace(">", "＞")


def _link(address: str, text: str) -> str:
    return f'<a href="{address}">{text}</a>'


def _fits(content: str) -> bool:
    return len(content.encode()) <= MOST_BYTES


def _message(alerts: Sequence[Alert], lines: Sequence[str], behind_head: str) -> str:
    only_payments = all(isinstance(alert.details, OrderPaid) for alert in alerts[: len(lines)])
    if len(lines) == 1:
        head = "您的客户刚刚付款" if only_payments else "您的客户有新动态"
    else:
        head = f"您有 {len(lines)} 笔客户付款" if only_payments else f"您有 {len(lines)} 条客户动态"
    return head + behind_head + "\n\n" + "\n\n".join(lines)
