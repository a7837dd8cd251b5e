"""What the figures must be: reads the purchase log and the rules of the README, and nothing of ours.

    python deploy/local/referee.py LOG TODAY [BUYERS]

prints the figures as one JSON object. Only the standard library is imported.
"""

import hashlib
import json
import sys
from datetime import date, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
WINDOW = timedelta(days=90)


def purchases_of(log_text, today, buyers):
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
        shifted = day + shift
        midnight = datetime(shifted.year, shifted.month, shifted.day, tzinfo=SHANGHAI)
        found.append((number, buyer, midnight + timedelta(hours=10, seconds=number % 36000), fen))
    return found


def figures(log_text, today, buyers=0):
    """Figure name → value; money in fen."""
    purchases = purchases_of(log_text, today, buyers)
    firsts, counts = {}, {}
    for _, buyer, moment, _ in purchases:
        firsts[buyer] = min(moment, firsts.get(buyer, moment))
        counts[buyer] = counts.get(buyer, 0) + 1
    adds = {buyer: first - timedelta(hours=1 + buyer % 72) for buyer, first in firsts.items()}
    # Every fifth buyer uses two shop accounts in turn, so the second exists from the second order on.
    accounts = {b: 2 if b % 5 == 0 and counts[b] >= 2 else 1 for b in firsts}

    result = {
        "people": len(firsts),
        "identifiers": sum(2 + accounts[b] for b in firsts),
        "merges": sum(accounts.values()),
        "conflicts": 0,
        "living_relations": len(firsts),
        "welcomes_sent": len(firsts),
        "welcomes_late": 0,
        "welcomes_refused": 0,
    }
    for code in range(8):
        result[f"customers_of_code_{code}"] = sum(1 for b in firsts if b * 7919 % 8 == code)

    statuses = {"COMPLETED": 0, "REFUNDED": 0, "PARTLY_REFUNDED": 0, "CLOSED": sum(1 for b in firsts if b <= 200)}
    paid = refunded = 0
    by_code, by_staff = {}, {}
    for number, buyer, moment, fen in purchases:
        back = 0
        if number % 100 == 0:
            back = fen
        elif number % 50 == 0:
            back = fen // 2
        status = "COMPLETED" if back == 0 else "REFUNDED" if back == fen else "PARTLY_REFUNDED"
        statuses[status] += 1
        paid += fen
        refunded += back
        code = buyer * 7919 % 8 if moment - adds[buyer] <= WINDOW else None
        by_code[code] = by_code.get(code, 0) + fen
        staff = f"guide_{buyer % 200:03d}"
        by_staff[staff] = by_staff.get(staff, 0) + fen
    for status, count in statuses.items():
        result[f"orders_{status.lower()}"] = count
    result["orders_other"] = 0
    result["gmv_paid"] = paid
    result["gmv_refunded"] = refunded
    result["gmv_net"] = paid - refunded
    result["average_order_value"] = (2 * paid + len(purchases)) // (2 * len(purchases))
    result["buyers"] = len(counts)
    result["repeat_buyers"] = sum(1 for count in counts.values() if count >= 2)
    for code in range(8):
        result[f"gmv_of_code_{code}"] = by_code.get(code, 0)
    result["gmv_of_no_channel"] = by_code.get(None, 0)
    for staff in sorted(by_staff):
        result[f"gmv_of_{staff}"] = by_staff[staff]
    result["gmv_of_no_staff"] = 0
    lists = {}
    for _, buyer, moment, fen in purchases:
        lists.setdefault(buyer, []).append(f"{moment.date()}/{fen}")
    lines = sorted(",".join(sorted(orders)) for orders in lists.values())
    result["purchases_per_person"] = int(hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12], 16)
    result["alerts_raised"] = len(purchases)
    result["alerts_delivered"] = len(purchases)
    result["alerts_received"] = len(purchases)
    return result


if __name__ == "__main__":
    with open(sys.argv[1]) as log_file:
        text = log_file.read()
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    print(json.dumps(figures(text, date.fromisoformat(sys.argv[2]), limit)))
