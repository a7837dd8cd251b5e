"""What the figures must be: reads the purchase log and the rules of docs/replay.md, and nothing of ours.

    python deploy/local/referee.py LOG TODAY [BUYERS [LEFT,OUT]]

prints the figures as one JSON object. Only the standard library is imported.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeAlias

# An order, a line, a refund, a relation or a touch, by the names of what it holds.
Record: TypeAlias = dict[str, Any]

SHANGHAI = timezone(timedelta(hours=8))
WINDOW_DAYS = 90
CODES = 8
RENAMED, RENAMED_TO = "guide_042", "guide_042_new"


def figures(log_text: str, today: date, buyers: int = 0, without: Sequence[str] = ()) -> dict[str, int]:
    """Figure name → value; money in fen. `without`: features of the replay that are left out."""
    return judge(world(log_text, today, buyers, without))


def world(log_text: str, today: date, buyers: int = 0, without: Sequence[str] = ()) -> dict[str, Any]:
    """What happens: `people`, `relations`, `touches`, `orders` and how many welcomes are due."""
    found: dict[str, Any] = {"people": {}, "relations": [], "touches": [], "orders": [], "welcomes": 0, "lost": []}
    by_buyer: dict[int, list[tuple[datetime, int, int]]] = {}
    for number, buyer, moment, fen in _purchases(log_text, today, buyers):
        by_buyer.setdefault(buyer, []).append((moment, number, fen))
    for buyer, purchases in by_buyer.items():
        purchases.sort()
        first = purchases[0][0]
        story = buyer % 43 if _switched_on(buyer % 43, without) else None
        # Every fifth buyer uses two shop accounts in turn, so the second exists from the second order on.
        found["people"][buyer] = 2 if buyer % 5 == 0 and len(purchases) >= 2 else 1
        orders = [
            _order(buyer, moment, number, fen, story == 3 and position == 0, without)
            for position, (moment, number, fen) in enumerate(purchases)
        ]
        _follow(found, buyer, story, first, orders[-1]["paid_at"].date())
        found["orders"] += orders
        yesterday = today - timedelta(days=1)
        if buyer <= 200:
            unpaid = {"id": f"E{yesterday:%Y%m%d}9{buyer:07d}", "buyer": buyer, "paid_at": None}
            found["orders"].append(_single({**unpaid, "placed_at": _on(yesterday, 10)}, 9900))
        if buyer <= 200 and buyer % 4 == 1 and "guests" not in without:
            placed_at = _on(yesterday, 11) + timedelta(seconds=buyer)
            guest = {"id": f"E{yesterday:%Y%m%d}8{buyer:07d}", "buyer": None, "placed_at": placed_at}
            found["orders"].append(_single({**guest, "paid_at": placed_at + timedelta(seconds=21)}, 6600))
    if "rename" not in without:
        for one in (*found["relations"], *found["touches"]):
            one["userid"] = RENAMED_TO if one["userid"] == RENAMED else one["userid"]
    return found


def judge(told: Mapping[str, Any]) -> dict[str, int]:
    """The figures of a world."""
    people, touches, relations = told["people"], told["touches"], told["relations"]
    paid = [order for order in told["orders"] if order["paid_at"] is not None]
    result = {
        "people": len(people),
        # An external_userid and a unionid; an account and its openid each.
        "identifiers": sum(2 + 2 * accounts for accounts in people.values()),
        "merges": sum(people.values()),
        "conflicts": 0,
        "living_relations": sum(1 for relation in relations if relation["ended_at"] is None),
        "welcomes_sent": told["welcomes"],
        "welcomes_late": 0,
        "welcomes_refused": 0,
    }
    firsts: dict[int, int | None] = {}
    days: dict[date, list[bool]] = {}  # of each add, whether its customer is new
    for touch in sorted(touches, key=lambda one: one["at"]):
        days.setdefault(touch["at"].date(), []).append(touch["buyer"] not in firsts)
        firsts.setdefault(touch["buyer"], touch["code"])
    result["adds_by_day"] = _digest(f"{day}/{len(new)}/{sum(new)}" for day, new in days.items())
    result |= _relation_figures(relations)
    welcomed = [touch for touch in touches if touch["welcomed"]]
    result["welcomes_by_employee"] = _counted(touch["userid"] for touch in welcomed)
    result["welcomes_by_code"] = _counted(touch["code"] for touch in welcomed)
    result["friends_listed_by_day"] = _counted(touch["at"].date() for touch in touches)
    result["friends_listed_by_employee"] = _counted(touch["userid"] for touch in touches)
    for code in range(CODES):
        result[f"customers_of_code_{code}"] = sum(1 for first in firsts.values() if first == code)
        result[f"adds_of_code_{code}"] = sum(1 for touch in touches if touch["code"] == code)
    result["adds_of_no_code"] = sum(1 for touch in touches if touch["code"] is None)
    result |= _order_figures(told, paid)
    result |= _attribution_figures(paid, _grouped(relations), _grouped(touches))
    result |= _sales(paid, _grouped(relations))
    result["alerts_friend_lost"] = len(told["lost"])
    result["alerts_friend_added"] = len(touches)
    # Who was added is listed, not sent.
    sent = ("order_paid", "order_refunded", "friend_lost")
    result["alerts_received"] = sum(result[f"alerts_{kind}"] for kind in sent)
    return result


def _relation_figures(relations: Sequence[Record]) -> dict[str, int]:
    """Friends won and lost: of each day, and of each employee."""
    days: dict[date, list[int]] = {}  # began, ended, of them by the customer, began again
    staff: dict[str, list[int]] = {}
    before: set[tuple[int, str]] = set()

    def note(relation: Record, at: datetime, *changes: int) -> None:
        for row in (days.setdefault(at.date(), [0] * 4), staff.setdefault(relation["userid"], [0] * 4)):
            row[:] = [one + change for one, change in zip(row, changes)]

    for relation in sorted(relations, key=lambda one: one["added_at"]):
        pair = relation["buyer"], relation["userid"]
        note(relation, relation["added_at"], 1, 0, 0, pair in before)
        before.add(pair)
        if relation["ended_at"] is not None:
            note(relation, relation["ended_at"], 0, 1, relation.get("left", False), 0)
    return {
        "relations_by_day": _digest(f"{day}/{'/'.join(map(str, row))}" for day, row in days.items()),
        "relations_by_employee": _digest(
            f"{userid}/{'/'.join(map(str, row))}/{row[0] - row[1]}" for userid, row in staff.items()
        ),
    }


def _purchases(log_text: str, today: date, buyers: int) -> list[tuple[int, int, datetime, int]]:
    """(number, buyer, moment, fen) of every line, dates shifted so that the log ends the day before today."""
    lines = [line.split() for line in log_text.splitlines()]
    days = [date(int(d[:4]), int(d[4:6]), int(d[6:])) for _, _, d, _, _ in lines]
    shift = today - timedelta(days=1) - max(days)
    found = []
    for number, (line, day) in enumerate(zip(lines, days), start=1):
        buyer = int(line[1])
        if buyers and buyer > buyers:
            continue
        whole, _, cents = line[4].partition(".")
        fen = int(whole) * 100 + int((cents + "00")[:2])
        found.append((number, buyer, _on(day + shift, 10) + timedelta(seconds=number % 36000), fen))
    return found


def _switched_on(story: int, without: Sequence[str]) -> bool:
    names = {
        3: "late_friends", 4: "half_adds", 7: "second_employee", 8: "second_channel", 11: "handovers",
        12: "lost_friends", 15: "returning_friends", 16: "returning_friends", 19: "window_edges", 20: "window_edges",
    }  # fmt: skip
    return story in names and names[story] not in without


def _follow(found: dict[str, Any], buyer: int, story: int | None, first: datetime, last_paid: date) -> None:
    """Who is whose friend and when, and through which code each add came. `last_paid`: the day of the last payment."""
    own, code = _guide(buyer), buyer * 7919 % CODES
    other = (code + 4) % CODES

    def add(userid: str, through: int | None, at: datetime, welcome: bool = True) -> Record:
        found["relations"].append({"buyer": buyer, "userid": userid, "added_at": at, "ended_at": None})
        found["touches"].append({"buyer": buyer, "code": through, "at": at, "userid": userid, "welcomed": welcome})
        found["welcomes"] += welcome
        relation: Record = found["relations"][-1]
        return relation

    added = first + timedelta(minutes=30) if story == 3 else first - timedelta(hours=1 + buyer % 72)
    # A half add and its confirmation are one add.
    relation = add(own, code, added)
    if story == 7:
        add(_guide(buyer + 96), code, first + timedelta(days=2))
    elif story == 8:
        add(_guide(buyer + 100), other, first + timedelta(days=2))
    elif story in (19, 20):
        at = _on(last_paid - timedelta(days=90), 9) if story == 19 else _on(last_paid - timedelta(days=91), 23)
        if at > first + timedelta(days=2):
            add(_guide(buyer + 100), other, at)
    elif story == 11:
        relation["ended_at"] = first + timedelta(days=10)
        add(_guide(buyer + 8), None, relation["ended_at"], welcome=False)
    elif story in (12, 15, 16):
        relation["ended_at"] = first + timedelta(days=3)
        relation["left"] = story != 16
        if story != 16:
            found["lost"].append(buyer)
        if story != 12:
            # Who deleted the employee and comes back keeps the state of the first time.
            add(own, code if story == 15 else other, first + timedelta(days=20))


def _order(buyer: int, moment: datetime, number: int, fen: int, late_friend: bool, without: Sequence[str]) -> Record:
    pause = timedelta(seconds=21)
    if late_friend:
        pause = timedelta(hours=2)
    elif number % 5 == 0 and "late_payments" not in without:
        pause = timedelta(hours=1 + number % 20)
    order: Record = {
        "id": f"E{moment:%Y%m%d}{number:08d}",
        "buyer": buyer,
        "placed_at": moment,
        "paid_at": moment + pause,
        "fen": fen,
    }
    order["lines"] = _lines(order["id"][1:], number, fen, without)
    refunds: list[Record] = []
    if number % 100 == 0:
        for position, line in enumerate(order["lines"]):
            refunds.append({"id": f"R{number:08d}-{position}", "fen": line["fen"], "line": line["id"]})
    elif number % 50 == 0:
        refunds = [{"id": f"R{number:08d}", "fen": fen // 2, "line": None}]
    return {**order, "refunds": [one for one in refunds if one["fen"]]}


def _lines(first_id: str, number: int, fen: int, without: Sequence[str]) -> list[Record]:
    """They share the amount as evenly as whole fen allow."""
    count = 1 + (number % 4 == 0) + (number % 8 == 0)
    if "lines" in without or fen < count:
        count = 1
    found = []
    for n in range(count):
        share = fen * (n + 1) // count - fen * n // count
        sku = f"SKU-{1 + (number + n) % 50}-A"
        found.append({"id": first_id if n == 0 else f"{first_id}{n:02d}", "fen": share, "sku": sku})
    return found


def _single(order: Record, fen: int) -> Record:
    """An order of one line, of which nothing is given back."""
    line = {"id": order["id"][1:], "fen": fen, "sku": "SKU-1-A"}
    return {**order, "fen": fen, "lines": [line], "refunds": []}


def _order_figures(told: Mapping[str, Any], paid: Sequence[Record]) -> dict[str, int]:
    statuses = {"COMPLETED": 0, "REFUNDED": 0, "PARTLY_REFUNDED": 0, "CLOSED": len(told["orders"]) - len(paid)}
    lists: dict[int, list[str]] = {}
    for order in paid:
        back = _refunded(order)
        statuses["COMPLETED" if not back else "REFUNDED" if back == order["fen"] else "PARTLY_REFUNDED"] += 1
        if order["buyer"] is not None:
            lists.setdefault(order["buyer"], []).append(f"{order['placed_at'].date()}/{order['fen']}")
    gmv, refunded = sum(order["fen"] for order in paid), sum(_refunded(order) for order in paid)
    return {
        **{f"orders_{status.lower()}": count for status, count in statuses.items()},
        "orders_other": 0,
        "gmv_paid": gmv,
        "gmv_refunded": refunded,
        "gmv_net": gmv - refunded,
        "average_order_value": (2 * gmv + len(paid)) // (2 * len(paid)),
        "buyers": len(lists),
        "repeat_buyers": sum(1 for orders in lists.values() if len(orders) >= 2),
        "purchases_per_person": _digest(",".join(sorted(orders)) for orders in lists.values()),
    }


def _attribution_figures(
    paid: Sequence[Record], relations: Mapping[int, list[Record]], touches: Mapping[int, list[Record]]
) -> dict[str, int]:
    by_code: dict[int | None, int] = {}
    by_staff: dict[str, int] = {}
    rows, paid_alerts, refund_alerts = [], 0, 0
    for order in paid:
        userid = _employee(relations.get(order["buyer"], ()), order["paid_at"])
        code = _code(touches.get(order["buyer"], ()), order["paid_at"])
        by_code[code] = by_code.get(code, 0) + order["fen"]
        by_staff[userid] = by_staff.get(userid, 0) + order["fen"]
        channel = "" if code is None else code
        rows.append(f"{order['id']}/{userid}/{channel}/{order['fen']}/{_refunded(order)}")
        if userid:
            paid_alerts += 1
            refund_alerts += len(order["refunds"])
    found = {f"gmv_of_code_{code}": by_code.get(code, 0) for code in range(CODES)}
    found["gmv_of_no_channel"] = by_code.get(None, 0)
    found |= {f"gmv_of_{userid}": by_staff[userid] for userid in sorted(by_staff) if userid}
    found["gmv_of_no_staff"] = by_staff.get("", 0)
    found["every_order"] = _digest(rows)
    found["every_line"] = _digest(row for order in paid for row in _line_rows(order))
    found["alerts_order_paid"] = paid_alerts
    found["alerts_order_refunded"] = refund_alerts
    return found


def _sales(paid: Sequence[Record], relations: Mapping[int, list[Record]]) -> dict[str, int]:
    """Orders and money by the day of the payment, what was given back by its own day; and the same by employee."""
    days: dict[date, list[int]] = {}
    staff: dict[str, list[int]] = {}
    for order in paid:
        userid = _employee(relations.get(order["buyer"], ()), order["paid_at"])
        day, back = order["paid_at"].date(), _refunded(order)
        for sums in (days.setdefault(day, [0, 0, 0]), staff.setdefault(userid, [0, 0, 0])):
            sums[0] += 1
            sums[1] += order["fen"]
        staff[userid][2] += back
        if back:
            # Everything is given back a day after the order was placed.
            days.setdefault(order["placed_at"].date() + timedelta(days=1), [0, 0, 0])[2] += back
    return {
        "sales_by_day": _digest(f"{day}/{count}/{fen}/{back}" for day, (count, fen, back) in days.items()),
        "sales_by_staff": _digest(f"{userid}/{count}/{fen}/{back}" for userid, (count, fen, back) in staff.items()),
    }


def _line_rows(order: Record) -> Iterator[str]:
    for line in order["lines"]:
        yield f"{order['id']}/{line['id']}/{line['sku']}/{line['fen']}"
    for refund in order["refunds"]:
        of_line = f"{refund['line']}:{refund['fen']}" if refund["line"] else ""
        yield f"{order['id']}/{refund['id']}/{refund['fen']}/{of_line}"


def _refunded(order: Record) -> int:
    return sum(refund["fen"] for refund in order["refunds"])


def _employee(relations: Iterable[Record], at: datetime) -> str:
    """Of those who follow the buyer at that moment the one added last; on a tie the first by userid."""
    alive = [one for one in relations if one["added_at"] <= at and (one["ended_at"] is None or at < one["ended_at"])]
    last = min(alive, key=lambda one: (-one["added_at"].timestamp(), one["userid"]), default={"userid": ""})
    return str(last["userid"])


def _code(touches: Iterable[Record], at: datetime) -> int | None:
    """Of the last add at or before that moment, up to the end of the 90th business day after it."""
    before = [touch for touch in touches if touch["at"] <= at]
    last = max(before, key=lambda touch: touch["at"], default=None)
    if last is None or at.date() > last["at"].date() + timedelta(days=WINDOW_DAYS):
        return None
    code: int | None = last["code"]
    return code


def _grouped(rows: Iterable[Record]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for row in rows:
        found.setdefault(row["buyer"], []).append(row)
    return found


def _counted(things: Iterable[object]) -> int:
    """How often each is there."""
    return _digest(f"{thing}/{count}" for thing, count in Counter(things).items())


def _digest(lines: Iterable[str]) -> int:
    return int(hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12], 16)


def _guide(number: int) -> str:
    return f"guide_{number % 200:03d}"


def _on(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI)


if __name__ == "__main__":
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    left_out = sys.argv[4].split(",") if len(sys.argv) > 4 else ()
    print(json.dumps(figures(Path(sys.argv[1]).read_text(), date.fromisoformat(sys.argv[2]), limit, left_out)))
