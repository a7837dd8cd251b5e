from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bihuan.acquisition.v1 import channel_service_pb2 as pb
from bihuan.acquisition.v1 import channel_service_pb2_grpc as grpc_pb

from acquisition.app.channels import Channels
from acquisition.db import channels as db
from chassis import paging
from chassis.errors import Invalid, NotFound
from chassis.idempotency import IdempotentRequests
from chassis.kernel.caller import caller
from chassis.kernel.totals import LIMIT, total
from chassis.moments import as_of
from chassis.outbox import Tx
from chassis.pool import Pool, Row

FIELDS: dict[str, type] = {"created_at": datetime, "name": str}


class ChannelServicer(grpc_pb.ChannelServiceServicer):
    """`wake` tells the loop that states channels that there is one to state."""

    def __init__(self, pool: Pool, channels: Channels, once: IdempotentRequests, wake: Callable[[], None]) -> None:
        self._pool, self._channels, self._once, self._wake = pool, channels, once, wake

    async def CreateChannel(self, request: pb.CreateChannelRequest, context: Any) -> pb.CreateChannelResponse:
        async def create(tx: Tx) -> pb.CreateChannelResponse:
            row = await self._channels.create(tx, caller().corp_id, request.name)
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
        corp_id = caller().corp_id
        page = paging.sorted_page(request.page_size, request.page_token, request.order_by, FIELDS, "created_at")
        wanted: dict[str, Any] = {"name": request.name.strip() or None, "archived": request.archived}
        async with self._pool.acquire() as connection:
            rows = await db.page(connection, corp_id, page, **wanted)
            counted = await db.count(connection, corp_id, LIMIT, **wanted) if request.with_total else None
        return pb.ListChannelsResponse(
            channels=[_channel(row) for row in rows],
            next_page_token=page.next_token([(row[page.order_by], row["channel_id"]) for row in rows]),
            total=None if counted is None else total(counted),
        )

    async def UpdateChannel(self, request: pb.UpdateChannelRequest, context: Any) -> pb.UpdateChannelResponse:
        channel_id = paging.uuid(request.channel_id, "channelId")
        if not request.HasField("name"):
            raise Invalid("NOTHING_TO_CHANGE", field="body", expected="name")
        revision = request.revision if request.HasField("revision") else None
        row = await self._channels.update(caller().corp_id, channel_id, revision, request.name)
        self._wake()
        return pb.UpdateChannelResponse(channel=_channel(row))

    async def ArchiveChannel(self, request: pb.ArchiveChannelRequest, context: Any) -> pb.ArchiveChannelResponse:
        channel_id = paging.uuid(request.channel_id, "channelId")
        row = await self._channels.archive(caller().corp_id, channel_id)
        return pb.ArchiveChannelResponse(channel=_channel(row))

    async def RestoreChannel(self, request: pb.RestoreChannelRequest, context: Any) -> pb.RestoreChannelResponse:
        channel_id = paging.uuid(request.channel_id, "channelId")
        row = await self._channels.restore(caller().corp_id, channel_id)
        return pb.RestoreChannelResponse(channel=_channel(row))

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
        channel_id=row["channel_id"],
        name=row["name"],
        is_default=row["is_default"],
        created_at=row["created_at"],
        archived_at=row["archived_at"],
        revision=row["revision"],
    )
