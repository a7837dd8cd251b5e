"""Every figure of the summary, read through the gateway's REST API as any frontend would."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from deploy.local.client import Client

ALERT_ID = re.compile(r"· ([0-9A-HJKMNP-TV-Z]{16})$", re.MULTILINE)
SHANGHAI = timezone(timedelta(hours=8))
# The longest report.
REPORT_DAYS = 400
STATUSES = ("COMPLETED", "REFUNDED", "PARTLY_REFUNDED", "CLOSED")
KINDS = ("order_paid", "order_refunded", "friend_lost", "friend_added")
# What is sent as an app message.
SENT = ("order_paid", "order_refunded", "friend_lost")


@dataclass(frozen=True)
class Codes:
    """The replay's eight channels: number → channel id."""

    channels: list[str]
    states: list[str]


async def read_figures(client: Client, codes: Codes) -> tuple[dict[str, int], dict[str, str]]:
    """The figures a referee can judge, and those (latencies) that are only shown."""
    people = await client.get("/api/v1/figures/people")
    welcomes = await client.get("/api/v1/figures/welcomes")
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
    found |= await _channels(client, codes)
    found["adds_by_day"] = await _adds_by_day(client)
    found |= await _sales(client)
    found |= await _relations(client)
    found |= await _touches(client, codes)
    totals = await client.get("/api/v1/figures/orders")
    found |= _totals(totals)
    found |= await _shares(client, codes)
    orders = [order async for order in client.each("/api/v1/orders", "orders")]
    paid = [order for order in orders if order.get("paidAt")]
    found["purchases_per_person"] = _purchases_per_person(paid)
    found["every_order"] = _every_order(paid, codes)
    found["every_line"] = _every_line(paid)
    found |= await _alerts(client, {(one["mallId"], one["orderId"]): one.get("userid", "") for one in orders})
    alerts = await client.get("/api/v1/figures/alerts")
    shown = {
        "welcome latency p50 / p99 / max": " / ".join(
            f"{float(welcomes[name][:-1]) * 1000:.0f} ms"
            for name in ("latencyP50", "latencyP99", "latencyMax")
            if welcomes.get(name)
        ),
        "repurchase rate": f"{totals.get('repurchaseRate', 0):.4f}",
        "app messages": alerts["messages"],
    }
    return found, shown


async def _channels(client: Client, codes: Codes) -> dict[str, int]:
    """Customers by their first add, and adds, of each code's channel; the others' adds in one."""
    rows = {row["channelId"]: row for row in (await client.get("/api/v1/figures/channels"))["channels"]}
    own = [rows.pop(channel_id, {}) for channel_id in codes.channels]
    found = {f"customers_of_code_{n}": int(row.get("customers", 0)) for n, row in enumerate(own)}
    found |= {f"adds_of_code_{n}": int(row.get("adds", 0)) for n, row in enumerate(own)}
    found["adds_of_no_code"] = sum(int(row["adds"]) for row in rows.values())
    return found


async def _sales(client: Client) -> dict[str, int]:
    """Orders, money and refunds of each day and of each employee, over as long as the log is."""
    found = {}
    for name, by in (("sales_by_day", "DAY"), ("sales_by_staff", "STAFF")):
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in await _report(client, "sales", by):
            of_key = int(row["paidOrders"]), _fen(row["gmvPaid"]), _fen(row["refunded"])
            sums[row["key"]] = [one + other for one, other in zip(sums[row["key"]], of_key, strict=True)]
        found[name] = _digest(
            f"{key}/{count}/{paid}/{back}" for key, (count, paid, back) in sums.items() if count or back
        )
    return found


async def _relations(client: Client) -> dict[str, int]:
    """Friends won and lost, of each day and of each employee over as long as the log is."""
    changes = ("began", "ended", "endedByCustomer", "readded")
    days = await _report(client, "relations", "DAY")
    staff: dict[str, list[int]] = {}
    # Newest first: whoever lives at the end of the newest report lives now.
    async for report in _reports(client, "relations", "STAFF"):
        for row in report:
            known = staff.setdefault(row["key"], [0, 0, 0, 0, int(row["living"])])
            known[:4] = [one + int(row[name]) for one, name in zip(known, changes)]
    return {
        "relations_by_day": _digest(
            "/".join(row[name] for name in ("key", *changes))
            for row in days
            if row["began"] != "0" or row["ended"] != "0"
        ),
        "relations_by_employee": _digest(f"{userid}/{'/'.join(map(str, row))}" for userid, row in staff.items()),
    }


async def _reports(client: Client, name: str, by: str) -> AsyncIterator[list[dict[str, Any]]]:
    """The rows of the reports that reach over the log, the newest first."""
    last = datetime.now(SHANGHAI).date()
    for _ in range(2):
        first = last - timedelta(days=REPORT_DAYS - 1)
        report = await client.get(
            f"/api/v1/reports/{name}", by=f"DIMENSION_{by}", firstDay=first.isoformat(), lastDay=last.isoformat()
        )
        yield report["rows"]
        last = first - timedelta(days=1)


async def _report(client: Client, name: str, by: str) -> list[dict[str, Any]]:
    """Rows over as long as the log is; a key other than a day may come twice."""
    return [row async for report in _reports(client, name, by) for row in report]


async def _adds_by_day(client: Client) -> int:
    """Adds and new customers of each day that has any."""
    rows = await _report(client, "adds", "DAY")
    return _digest(f"{row['key']}/{row['adds']}/{row['customers']}" for row in rows if row["adds"] != "0")


async def _touches(client: Client, codes: Codes) -> dict[str, int]:
    """Who welcomed how many, through which codes, and who was told of how many new friends on which days."""
    numbers = {channel_id: str(number) for number, channel_id in enumerate(codes.channels)}
    channels = [{**row, "key": numbers.get(row["key"])} for row in await _report(client, "welcomes", "CHANNEL")]
    return {
        "welcomes_by_employee": _counted(await _report(client, "welcomes", "STAFF"), "sent"),
        "welcomes_by_code": _counted(channels, "sent"),
        "friends_listed_by_day": _counted(await _report(client, "alerts", "DAY"), "listed"),
        "friends_listed_by_employee": _counted(await _report(client, "alerts", "STAFF"), "listed"),
    }


def _counted(rows: Iterable[dict[str, Any]], measure: str) -> int:
    """How many of each key, zeros left out."""
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["key"]] += int(row[measure])
    return _digest(f"{key}/{count}" for key, count in sums.items() if count)


def _totals(orders: dict[str, Any]) -> dict[str, int]:
    statuses = {row["status"].removeprefix("ORDER_STATUS_"): int(row["orders"]) for row in orders["byStatus"]}
    return {
        **{f"orders_{status.lower()}": statuses.pop(status, 0) for status in STATUSES},
        "orders_other": sum(statuses.values()),
        "gmv_paid": _fen(orders["gmvPaid"]),
        "gmv_refunded": _fen(orders["refunded"]),
        "gmv_net": _fen(orders["net"]),
        "average_order_value": _fen(orders.get("averageOrderValue")),
        "buyers": int(orders["buyers"]),
        "repeat_buyers": int(orders["repeatBuyers"]),
    }


async def _shares(client: Client, codes: Codes) -> dict[str, int]:
    by_channel = await client.get("/api/v1/figures/gmv-by-channel")
    by_staff = await client.get("/api/v1/figures/gmv-by-staff")
    shares = {row["key"]: _fen(row["gmvPaid"]) for row in by_channel["channels"]}
    found = {f"gmv_of_code_{n}": shares.pop(channel_id, 0) for n, channel_id in enumerate(codes.channels)}
    found["gmv_of_no_channel"] = sum(shares.values())
    staff = {row["key"]: _fen(row["gmvPaid"]) for row in by_staff["staff"]}
    found["gmv_of_no_staff"] = staff.pop("", 0)
    return found | {f"gmv_of_{userid}": fen for userid, fen in staff.items()}


def _purchases_per_person(paid: Iterable[dict[str, Any]]) -> int:
    """Every person's list of paid orders (day, fen): an order that moved to another person shows. Guests are nobody."""
    people: dict[str, list[str]] = defaultdict(list)
    for order in paid:
        if order.get("customerId"):
            day = datetime.fromisoformat(order["createdAt"]).astimezone(SHANGHAI).date()
            people[order["customerId"]].append(f"{day}/{_fen(order['paid'])}")
    return _digest(",".join(sorted(orders)) for orders in people.values())


def _every_order(paid: Iterable[dict[str, Any]], codes: Codes) -> int:
    """Whose each paid order is, through which code, and its money."""
    numbers = {channel_id: str(number) for number, channel_id in enumerate(codes.channels)}
    return _digest(
        f"{order['orderId']}/{order.get('userid', '')}/{numbers.get(order.get('channelId', ''), '')}"
        f"/{_fen(order['paid'])}/{_fen(order.get('refunded'))}"
        for order in paid
    )


def _every_line(paid: Iterable[dict[str, Any]]) -> int:
    """What was paid for each line, and what of which line was given back."""
    rows = []
    for order in paid:
        for line in order.get("lines", ()):
            rows.append(f"{order['orderId']}/{line['lineId']}/{line['outerSkuId']}/{_fen(line['paid'])}")
        for refund in order.get("refunds", ()):
            lines = ",".join(f"{line['lineId']}:{_fen(line['amount'])}" for line in refund.get("lines", ()))
            rows.append(f"{order['orderId']}/{refund['refundId']}/{_fen(refund['amount'])}/{lines}")
    return _digest(rows)


async def _alerts(client: Client, userids: dict[tuple[str, str], str]) -> dict[str, int]:
    """Alerts that had to be: of orders those to the employee whose order it is in the end, each cause once.

    While a handover is on its way an order may be told to the former employee too; nobody can take that back.
    """
    due: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}  # kind → cause → alert id
    async for alert in client.each("/api/v1/alerts", "alerts"):
        kind = alert["kind"].removeprefix("ALERT_KIND_").lower()
        of_order = alert.get("orderPaid") or alert.get("orderRefunded")
        if of_order is None:
            due[kind][alert["alertId"]] = alert["alertId"]
        elif userids.get((of_order["mallId"], of_order["orderId"])) == alert["userid"]:
            cause = f"{of_order['mallId']}/{of_order['orderId']}/{of_order.get('refundId', '')}"
            due[kind][cause] = alert["alertId"]
    received = {one for content in await client.received_messages() for one in ALERT_ID.findall(content)}
    return {
        **{f"alerts_{kind}": len(causes) for kind, causes in due.items()},
        "alerts_received": sum(one in received for kind in SENT for one in due[kind].values()),
    }


def _digest(lines: Iterable[str]) -> int:
    return int(hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12], 16)


def _fen(money: dict[str, Any] | None) -> int:
    return int(money["amount"]) if money else 0
