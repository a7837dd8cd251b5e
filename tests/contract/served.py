"""A servicer as people write them, with the faults that a guard is there for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from chassis.errors import NotFound
from chassis.kernel.caller import caller

KEY = "k" * 16
ROWS = ["their customer", "another's customer"]


class Sample:
    def __init__(self, pb: Any) -> None:
        self._pb = pb
        self.calls = 0

    async def _rows(self, how: str) -> list[str]:
        me = caller()
        self.calls += 1
        if how == "careful":
            return ROWS[:1] if me.confined_to else ROWS
        if how == "careful elsewhere":
            return await asyncio.create_task(self._rows("careful"))
        if how == "absent":
            raise NotFound("ROW_NOT_FOUND", field="how")
        if how == "slow":
            raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")
        if how == "outage":
            raise ConnectionResetError
        if how == "bug":
            raise KeyError("secret")
        return ROWS  # careless

    async def ListRows(self, request: Any, context: Any) -> Any:
        return self._pb.ListRowsResponse(rows=await self._rows(request.how))

    async def CreateRow(self, request: Any, context: Any) -> Any:
        return self._pb.CreateRowResponse(row=request.row)

    async def StreamRows(self, request: Any, context: Any) -> AsyncIterator[Any]:
        if request.how == "late":
            yield self._pb.StreamRowsResponse(row=str(caller().confined_to))
            raise NotFound("ROW_NOT_FOUND")
        for row in await self._rows(request.how):
            yield self._pb.StreamRowsResponse(row=row)

    async def CountRows(self, requests: Any, context: Any) -> Any:
        caller()
        return self._pb.CountRowsResponse(count=len([one async for one in requests]))

    async def EchoRows(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        caller()
        async for one in requests:
            yield self._pb.EchoRowsResponse(row=one.row)
