"""Replays the CDNOW purchase log as adds, edits, deletes and shop messages: duplicated and displaced, seeded, counted.

What happens when stands in docs/replay.md; `FEATURES` are its parts that can be left out.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from datetime import date
from typing import Any

from deploy.sandbox.delivery import Courier
from deploy.sandbox.log import read_log
from deploy.sandbox.plan import Plan, Step
from deploy.sandbox.world import Corp

# What makes the world more than one add and one order after another: each can be left out to see what differs.
FEATURES = {
    "late_payments": "some orders are paid hours after they were placed",
    "late_friends": "some buyers become friends between their first order and its payment",
    "half_adds": "some add the employee without verification, who confirms later",
    "second_employee": "some become friends of a second employee, through the same channel",
    "second_channel": "some become friends of a second employee, through another channel",
    "handovers": "some are handed over to another employee",
    "lost_friends": "some delete their employee for good",
    "returning_friends": "some are lost, by either side's hand, and come back",
    "window_edges": "some are added again on the last day on which that still counts for an order, or a day earlier",
    "rename": "one employee gets another userid",
    "two_apps": "a second app is told of some employees' events, with welcome codes of its own",
    "lines": "orders of several lines",
    "line_refunds": "both message families tell of a refunded line",
    "guests": "orders that name no buyer",
    "buyer_pay": "some payments are told by a second kind of message",
}
DUPLICATED = 0.13
DISPLACED = 0.13
# How far a displaced message is put back, in messages; some pass the add they belong to.
NEAREST, FARTHEST = 60, 400


class Replay:
    """`states`: the eight live codes' states; `today`: the day of the run; `buyers`: how many (0: all); `without`:
    features that are left out. Raises ValueError for a feature that is none."""

    def __init__(
        self, corp: Corp, courier: Courier, *, states: list[str], today: str, seed: int, buyers: int, at_once: int,
        per_second: float, without: Iterable[str] = (),
    ) -> None:  # fmt: skip
        unknown = sorted(set(without) - set(FEATURES))
        if unknown:
            raise ValueError(f"without: {unknown[0]} is none of {', '.join(FEATURES)}")
        self._courier = courier
        self._at_once, self._per_second = at_once, per_second
        self._random = random.Random(seed)
        self._seed = seed
        plan = Plan(corp, states, date.fromisoformat(today), frozenset(FEATURES) - set(without))
        self._steps = self._disturb(plan.steps(read_log(), buyers))
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
            elif step.buyer and step.buyer not in met and not copy:
                self._orders_before_add += 1
        return [step for _, _, _, step in keyed]
