"""Replays the CDNOW purchase log as adds, edits and shop messages: duplicated and displaced, seeded, counted.

The rules are those of the README ("What the replay does"); the referee reads the same rules and shares no code.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from deploy.sandbox import events
from deploy.sandbox.delivery import Courier, Delivery, callback
from deploy.sandbox.log import Purchase, read_log
from deploy.sandbox.shop import BEIJING, Shop
from deploy.sandbox.world import Corp

EMPLOYEES = 200
DUPLICATED = 0.13
DISPLACED = 0.13
# How far a displaced message is put back, in messages; some pass the add they belong to.
NEAREST, FARTHEST = 60, 400
UNPAID_BUYERS = 200
UNPAID_YUAN = "99.00"


@dataclass(frozen=True)
class Step:
    """One message, made when it is sent. `buyer` and `is_add` tell what was displaced past what."""

    at: datetime
    buyer: int
    is_add: bool
    make: Callable[[], Delivery]


class Replay:
    """`states`: the eight live codes' states; `today`: the day of the run; `buyers`: how many (0: all)."""

    def __init__(
        self, corp: Corp, courier: Courier, *, states: list[str], today: str, seed: int, buyers: int, at_once: int,
        per_second: float,
    ) -> None:  # fmt: skip
        self._corp, self._courier, self._states = corp, courier, states
        self._app = corp.config["app"][0]
        self._shop = Shop(corp, corp.config["mall"][0])
        self._at_once, self._per_second = at_once, per_second
        self._random = random.Random(seed)
        self._seed = seed
        steps = self._plan(read_log(), date.fromisoformat(today), buyers)
        self._steps = self._disturb(steps)
        self._sent = 0
        self._adds_sent = 0
        self._given_up = 0
        self._began = time.time()
        self._ended: float | None = None

    def progress(self) -> dict[str, Any]:
        return {
            "total": len(self._steps),
            "sent": self._sent,
            "adds": self._adds,
            "adds_sent": self._adds_sent,
            "given_up": self._given_up,
            "duplicated": self._duplicated,
            "reordered": self._reordered,
            "orders_before_add": self._orders_before_add,
            "seed": self._seed,
            "seconds": round((self._ended or time.time()) - self._began, 3),
            "running": self._ended is None,
        }

    async def run(self) -> None:
        self._began = time.time()
        room = asyncio.Semaphore(self._at_once)
        tasks = set()
        for position, step in enumerate(self._steps):
            if self._per_second:
                await asyncio.sleep(max(0.0, self._began + position / self._per_second - time.time()))
            await room.acquire()
            task = asyncio.create_task(self._one(step, room))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)
        self._ended = time.time()

    async def _one(self, step: Step, room: asyncio.Semaphore) -> None:
        try:
            if not await self._courier.send(step.make()):
                self._given_up += 1
            self._sent += 1
            self._adds_sent += step.is_add
        finally:
            room.release()

    def _plan(self, log: list[Purchase], today: date, buyers: int) -> list[Step]:
        """All messages in the order of their business time."""
        shift = today - timedelta(days=1) - max(purchase.day for purchase in log)
        by_buyer: dict[int, list[Purchase]] = defaultdict(list)
        for purchase in log:
            if not buyers or purchase.buyer <= buyers:
                by_buyer[purchase.buyer].append(purchase)
        steps: list[Step] = []
        for buyer, purchases in by_buyer.items():
            purchases.sort(key=lambda p: (p.day, p.number))
            first = _moment(purchases[0], shift)
            ids = [f"yz{buyer:05d}a{_mark(buyer)}", f"yz{buyer:05d}b{_mark(buyer)}"][: 2 if buyer % 5 == 0 else 1]
            person = self._corp.add_person(f"buyer {buyer}", ids, bound=buyer % 20 != 0)
            added = first - timedelta(hours=1 + buyer % 72)
            userid = f"guide_{buyer % EMPLOYEES:03d}"
            welcome = events.befriend(
                self._corp, person, userid, self._states[buyer * 7919 % 8], int(added.timestamp())
            )
            assert welcome is not None, "a replay starts from an empty world"
            steps.append(
                Step(added, buyer, True, self._event(lambda w=welcome, a=added: _added(self._corp, w, a), "add"))
            )  # type: ignore[misc]
            if not person.bound:
                known = added + timedelta(days=2)

                def reveal(person: Any = person, userid: str = userid, known: datetime = known) -> str:
                    person.bound = True
                    at = int(known.timestamp())
                    return events.event(self._corp, "edit_external_contact", userid, person.external_userid, at)

                steps.append(Step(known, buyer, False, self._event(reveal, "edit")))
            for position, purchase in enumerate(purchases):
                steps += self._purchase(purchase, ids[position % len(ids)], _moment(purchase, shift))
            if buyer <= UNPAID_BUYERS:
                steps += self._unpaid(buyer, ids[0], today - timedelta(days=1))
        return sorted(steps, key=lambda step: step.at)

    def _purchase(self, purchase: Purchase, buyer_id: str, at: datetime) -> list[Step]:
        order_id = f"E{at:%Y%m%d}{purchase.number:08d}"
        shop, yuan = self._shop, purchase.yuan
        paid, shipped, done = at + timedelta(seconds=21), at + timedelta(hours=1), at + timedelta(hours=2)
        made = [
            (at, lambda: shop.order("trade_TradeCreate", order_id, buyer_id, yuan, at, at)),
            (paid, lambda: shop.order("trade_TradePaid", order_id, buyer_id, yuan, at, paid)),
            (shipped, lambda: shop.step("trade_TradeSellerShip", order_id, shipped, express_id=1)),
            (done, lambda: shop.step("trade_TradeSuccess", order_id, done)),
        ]
        fen = purchase.fen
        back = fen if purchase.number % 100 == 0 else fen // 2 if purchase.number % 50 == 0 else 0
        if back:
            later = at + timedelta(days=1)
            refund_id = f"R{purchase.number:08d}"
            text = f"{back // 100}.{back % 100:02d}"
            made.append((later, lambda: shop.refund(order_id, refund_id, text, later)))
        return [Step(when, purchase.buyer, False, make) for when, make in made]

    def _unpaid(self, buyer: int, buyer_id: str, day: date) -> list[Step]:
        at = datetime(day.year, day.month, day.day, 10, tzinfo=BEIJING) + timedelta(seconds=buyer)
        order_id, closed = f"E{day:%Y%m%d}9{buyer:07d}", at + timedelta(hours=1)
        shop = self._shop
        return [
            Step(at, buyer, False, lambda: shop.order("trade_TradeCreate", order_id, buyer_id, UNPAID_YUAN, at, at)),
            Step(
                closed,
                buyer,
                False,
                lambda: shop.step("trade_TradeClose", order_id, closed, close_type=1, close_reason="超时未付款"),
            ),
        ]

    def _event(self, plain: Callable[[], str], what: str) -> Callable[[], Delivery]:
        return lambda: callback(self._corp, self._app, what, plain())

    def _disturb(self, steps: list[Step]) -> list[Step]:
        """Puts copies and displaced messages further back, and counts what that did."""
        keyed: list[tuple[float, int, int, Step]] = []
        for position, step in enumerate(steps):
            put = float(position)
            if self._random.random() < DISPLACED:
                put += self._random.uniform(NEAREST, FARTHEST)
            keyed.append((put, position, 0, step))
            if self._random.random() < DUPLICATED:
                keyed.append((put + self._random.uniform(0, FARTHEST), position, 1, step))
        keyed.sort(key=lambda entry: entry[:3])
        self._adds = sum(1 for _, _, _, step in keyed if step.is_add)
        self._duplicated = len(keyed) - len(steps)
        # Counted over originals alone: how far each stands from where its business time would put it.
        originals = [position for _, position, copy, _ in keyed if not copy]
        self._reordered = sum(1 for now, position in enumerate(originals) if abs(now - position) >= 50)
        met: set[int] = set()
        self._orders_before_add = 0
        for _, _, copy, step in keyed:
            if step.is_add:
                met.add(step.buyer)
            elif step.buyer not in met and not copy:
                self._orders_before_add += 1
        return [step for _, _, _, step in keyed]


def _moment(purchase: Purchase, shift: timedelta) -> datetime:
    """10:00:00 plus (line number mod 36000) seconds, Shanghai time."""
    day = purchase.day + shift
    return datetime(day.year, day.month, day.day, 10, tzinfo=BEIJING) + timedelta(seconds=purchase.number % 36000)


def _mark(buyer: int) -> str:
    """Makes ids look like a platform's."""
    return f"{buyer * 2654435761 % 2**32:08x}"


def _added(corp: Corp, welcome: Any, at: datetime) -> str:
    return events.added(corp, welcome, int(at.timestamp()))
