from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bihuan.acquisition.v1 import channel_service_pb2 as pb
from bihuan.acquisition.v1 import channel_service_pb2_grpc as grpc_pb
from uuid_utils import uuid7

from acquisition.db import channels as db
from chassis import paging
from chassis.errors import AlreadyExists, NotFound
from chassis.idempotency import IdempotentRequests
from chassis.kernel.caller import caller
from chassis.moments import as_of
from chassis.outbox import Tx
from chassis.pool import Pool, Row


class ChannelServicer(grpc_pb.ChannelServiceServicer):
    """`wake` tells the loop that states channels that there is one to state."""

    def __init__(self, pool: Pool, once: IdempotentRequests, wake: Callable[[], None]) -> None:
        self._pool, self._once, self._wake = pool, once, wake

    async def CreateChannel(self, request: pb.CreateChannelRequest, context: Any) -> pb.CreateChannelResponse:
        name = paging.text(request.name, "name", most=60)

        async def create(tx: Tx) -> pb.CreateChannelResponse:
            row = await db.insert(tx.connection, caller().corp_id, str(uuid7()), name)
            if row is None:
                raise AlreadyExists("CHANNEL_NAME_TAKEN", field="name", expected="a name no other channel has")
            return pb.CreateChannelResponse(channel=_channel(row))

        created = await self._once(request, create, pb.CreateChannelResponse)
        self._wake()
        return created

    async def GetChannel(self, request: pb.GetChannelRequest, context: Any) -> pb.GetChannelResponse:
        channel_id = paging.uuid(request.channel_id, "channelId")
        async with self._pool.acquire() as connection:
            row = await db.get(connection, caller().corp_id, channel_id)
        if row is None:
            raise NotFound("CHANNEL_NOT_FOUND", field="channelId")
        return pb.GetChannelResponse(channel=_channel(row))

    async def ListChannels(self, request: pb.ListChannelsRequest, context: Any) -> pb.ListChannelsResponse:
        page = paging.uuid_page(request.page_size, request.page_token)
        async with self._pool.acquire() as connection:
            rows = await db.page(connection, caller().corp_id, page.after, page.size)
        return pb.ListChannelsResponse(
            channels=[_channel(row) for row in rows],
            next_page_token=page.next_token([row["channel_id"] for row in rows]),
        )

    async def GetChannelFigures(
        self, request: pb.GetChannelFiguresRequest, context: Any
    ) -> pb.GetChannelFiguresResponse:
        moment = as_of(request)
        async with self._pool.acquire() as connection:
            rows = await db.figures(connection, caller().corp_id, moment)
            fallbacks = await db.fallbacks(connection, caller().corp_id, moment)
        return pb.GetChannelFiguresResponse(
            channels=[
                pb.ChannelFigure(
                    channel_id=row["channel_id"], name=row["name"], customers=row["customers"], adds=row["adds"]
                )
                for row in rows
            ],
            adds_without_state=fallbacks.get("ABSENT", 0),
            adds_with_unknown_state=fallbacks.get("UNKNOWN", 0),
            adds_with_stale_state=fallbacks.get("STALE", 0),
        )


def _channel(row: Row) -> pb.Channel:
    return pb.Channel(
        channel_id=row["channel_id"], name=row["name"], is_default=row["is_default"], created_at=row["created_at"]
    )
