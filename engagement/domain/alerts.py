"""How alerts read in an app message (Chinese: their readers are)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# WeCom cuts text messages at 2048 bytes; what does not fit waits for the next one.
MOST_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Paid:
    alert_id: str
    customer_name: str | None
    amount_fen: int
    order_id: str


def compose(alerts: Sequence[Paid]) -> tuple[str, int]:
    """The message and how many of the alerts are inside, oldest first; at least one."""
    lines = [
        f"{a.customer_name or '客户'} 付款 ¥{yuan(a.amount_fen)}\n订单 {a.order_id} · {a.alert_id}" for a in alerts
    ]
    fitting = len(lines)
    while fitting > 1 and len(_message(lines[:fitting]).encode()) > MOST_BYTES:
        fitting -= 1
    return _message(lines[:fitting]), fitting


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _message(lines: Sequence[str]) -> str:
    head = "您的客户刚刚付款" if len(lines) == 1 else f"您有 {len(lines)} 笔客户付款"
    return head + "\n\n" + "\n\n".join(lines)
