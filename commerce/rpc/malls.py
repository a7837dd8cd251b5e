from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.commerce.v1 import mall_service_pb2 as pb
from bihuan.commerce.v1 import mall_service_pb2_grpc as grpc_pb

from chassis.kernel.caller import caller
from chassis.kernel.corps import Corps, Mall
from chassis.kernel.periods import Period
from chassis.last_seen import LastSeen
from chassis.moments import stamp
from chassis.pool import Pool
from commerce.db import unread


class MallServicer(grpc_pb.MallServiceServicer):
    """`with_api`: the platforms whose malls can be asked."""

    def __init__(self, pool: Pool, corps: Corps, last_seen: LastSeen, with_api: Collection[str]) -> None:
        self._pool, self._corps, self._last_seen, self._with_api = pool, corps, last_seen, with_api

    async def ListMalls(self, request: pb.ListMallsRequest, context: Any) -> pb.ListMallsResponse:
        corp = self._corps.get(caller().corp_id)
        yesterday = corp.day_of(datetime.now(UTC)) - timedelta(days=1)
        since = Period(yesterday, yesterday, ZoneInfo(corp.timezone)).since
        seen = await self._last_seen.of(corp.corp_id, [f"mall.{mall.id}" for mall in corp.mall])
        async with self._pool.acquire() as connection:
            waiting = await unread.since(connection, corp.corp_id, since)
        return pb.ListMallsResponse(
            malls=[self._shown(mall, seen[f"mall.{mall.id}"], waiting.get(mall.id, 0)) for mall in corp.mall]
        )

    def _shown(self, mall: Mall, last_message_at: datetime | None, unread_messages: int) -> pb.Mall:
        return pb.Mall(
            mall_id=mall.id,
            platform=mall.platform,
            name=mall.name or mall.id,
            last_message_at=stamp(last_message_at),
            unread_messages=unread_messages,
            has_api=mall.platform in self._with_api,
            entry=pb.MallEntry(**mall.entry.model_dump()) if mall.entry is not None else None,
        )
