"""Every figure of the summary, read through the gateway's REST API as any frontend would."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from deploy.local.client import Client

ALERT_ID = re.compile(r"· ([0-9A-HJKMNP-TV-Z]{16})$", re.MULTILINE)
SHANGHAI = timezone(timedelta(hours=8))
STATUSES = ("COMPLETED", "REFUNDED", "PARTLY_REFUNDED", "CLOSED")


@dataclass(frozen=True)
class Codes:
    """The replay's eight channels: number → channel id."""

    channels: list[str]
    states: list[str]


async def read_figures(client: Client, codes: Codes) -> tuple[dict[str, int], dict[str, str]]:
    """The figures a referee can judge, and those (latencies) that are only shown."""
    people = await client.get("/api/v1/figures/people")
    channels = await client.get("/api/v1/figures/channels")
    welcomes = await client.get("/api/v1/figures/welcomes")
    orders = await client.get("/api/v1/figures/orders")
    by_channel = await client.get("/api/v1/figures/gmv-by-channel")
    by_staff = await client.get("/api/v1/figures/gmv-by-staff")
    alerts = await client.get("/api/v1/figures/alerts")
    received = await client.received_messages()

    found = {
        "people": int(people["people"]),
        "identifiers": int(people["identifiers"]),
        "merges": int(people["merges"]),
        "conflicts": int(people["conflicts"]),
        "living_relations": int(people["livingRelations"]),
        "welcomes_sent": int(welcomes["sent"]),
        "welcomes_late": int(welcomes["late"]),
        "welcomes_refused": int(welcomes["refused"]),
    }
    customers = {channel["channelId"]: int(channel["customers"]) for channel in channels["channels"]}
    for number, channel_id in enumerate(codes.channels):
        found[f"customers_of_code_{number}"] = customers.get(channel_id, 0)
    statuses = {row["status"].removeprefix("ORDER_STATUS_"): int(row["orders"]) for row in orders["byStatus"]}
    for status in STATUSES:
        found[f"orders_{status.lower()}"] = statuses.pop(status, 0)
    found["orders_other"] = sum(statuses.values())
    found["gmv_paid"] = _fen(orders["gmvPaid"])
    found["gmv_refunded"] = _fen(orders["refunded"])
    found["gmv_net"] = _fen(orders["net"])
    found["average_order_value"] = _fen(orders.get("averageOrderValue"))
    found["buyers"] = int(orders["buyers"])
    found["repeat_buyers"] = int(orders["repeatBuyers"])
    shares = {row["key"]: _fen(row["gmvPaid"]) for row in by_channel["channels"]}
    for number, channel_id in enumerate(codes.channels):
        found[f"gmv_of_code_{number}"] = shares.pop(channel_id, 0)
    found["gmv_of_no_channel"] = sum(shares.values())
    staff = {row["key"]: _fen(row["gmvPaid"]) for row in by_staff["staff"]}
    found["gmv_of_no_staff"] = staff.pop("", 0)
    found |= {f"gmv_of_{userid}": fen for userid, fen in staff.items()}
    found["alerts_raised"] = int(alerts["raised"])
    found["alerts_delivered"] = int(alerts["delivered"])
    found["alerts_received"] = len({one for content in received for one in ALERT_ID.findall(content)})
    found["purchases_per_person"] = await _purchases_per_person(client)
    shown = {
        "welcome latency p50 / p99 / max": " / ".join(
            f"{float(welcomes[name][:-1]) * 1000:.0f} ms"
            for name in ("latencyP50", "latencyP99", "latencyMax")
            if welcomes.get(name)
        ),
        "repurchase rate": f"{orders.get('repurchaseRate', 0):.4f}",
        "app messages": alerts["messages"],
    }
    return found, shown


async def _purchases_per_person(client: Client) -> int:
    """A digest over every person's list of paid orders (day, fen): an order that moved to another person shows."""
    people: dict[str, list[str]] = defaultdict(list)
    token = ""
    while True:
        page = await client.get("/api/v1/orders", pageSize="200", pageToken=token)
        for order in page["orders"]:
            if order.get("paidAt"):
                day = datetime.fromisoformat(order["createdAt"]).astimezone(SHANGHAI).date()
                people[order["customerId"]].append(f"{day}/{_fen(order['paid'])}")
        token = page["nextPageToken"]
        if not token:
            break
    lines = sorted(",".join(sorted(orders)) for orders in people.values())
    return int(hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12], 16)


def _fen(money: dict[str, Any] | None) -> int:
    return int(money["amount"]) if money else 0
