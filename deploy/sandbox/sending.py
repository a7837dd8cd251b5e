"""Sends what happened to everybody who is told, disturbed as the faults say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from deploy.sandbox.delivery import Courier, Delivery, callback
from deploy.sandbox.faults import Faults
from deploy.sandbox.world import Corp


class Sender:
    def __init__(self, courier: Courier, faults: Faults) -> None:
        self._courier, self._faults = courier, faults
        self._sending: set[asyncio.Task[Any]] = set()

    def tell(self, corp: Corp, userid: str, plain: str | Callable[[int], str]) -> None:
        """Every app that sees the member hears of it; `plain` may be a function of the app's agent id."""
        for app in corp.config["app"]:
            if corp.apps[app["agent_id"]].sees(userid):
                text = plain if isinstance(plain, str) else plain(app["agent_id"])
                what = text.split("<ChangeType><![CDATA[", 1)[1].split("]]>", 1)[0]
                self.send(callback(corp, app, what, text))

    def send(self, delivery: Delivery) -> None:
        self.keep(self._with_faults(delivery))

    def keep(self, work: Coroutine[Any, Any, Any]) -> None:
        """Runs it on; nobody waits."""
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _with_faults(self, delivery: Delivery) -> None:
        faults = self._faults
        if faults.happens(faults.delay) or faults.happens(faults.reorder):
            await asyncio.sleep(faults.delay_seconds * faults.random.random())
        twice = faults.happens(faults.duplicate)
        await self._courier.send(delivery)
        if twice:
            again = Delivery(delivery.kind, delivery.what, delivery.path, delivery.sign, delivery.pauses)
            await self._courier.send(again)
