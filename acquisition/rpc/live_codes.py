from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bihuan.acquisition.v1 import live_code_service_pb2 as pb
from bihuan.acquisition.v1 import live_code_service_pb2_grpc as grpc_pb

from acquisition.app.live_codes import LiveCodes
from acquisition.db import live_codes as db
from chassis import paging
from chassis.errors import NotFound
from chassis.idempotency import IdempotentRequests
from chassis.kernel.caller import caller
from chassis.outbox import Tx
from chassis.pool import Pool, Row


class LiveCodeServicer(grpc_pb.LiveCodeServiceServicer):
    """`wake` tells the loop that makes contact ways that there is one to make."""

    def __init__(self, pool: Pool, live_codes: LiveCodes, once: IdempotentRequests, wake: Callable[[], None]) -> None:
        self._pool, self._live_codes, self._once, self._wake = pool, live_codes, once, wake

    async def CreateLiveCode(self, request: pb.CreateLiveCodeRequest, context: Any) -> pb.CreateLiveCodeResponse:
        channel_id = paging.uuid(request.channel_id, "channelId")

        async def create(tx: Tx) -> pb.CreateLiveCodeResponse:
            row = await self._live_codes.create(tx, caller().corp_id, channel_id, request.name, request.userids)
            return pb.CreateLiveCodeResponse(live_code=_live_code(row))

        answer = await self._once(request, create, pb.CreateLiveCodeResponse)
        self._wake()
        return answer

    async def GetLiveCode(self, request: pb.GetLiveCodeRequest, context: Any) -> pb.GetLiveCodeResponse:
        live_code_id = paging.uuid(request.live_code_id, "liveCodeId")
        async with self._pool.acquire() as connection:
            row = await db.get(connection, caller().corp_id, live_code_id)
        if row is None:
            raise NotFound("LIVE_CODE_NOT_FOUND", field="liveCodeId")
        return pb.GetLiveCodeResponse(live_code=_live_code(row))

    async def ListLiveCodes(self, request: pb.ListLiveCodesRequest, context: Any) -> pb.ListLiveCodesResponse:
        page = paging.uuid_page(request.page_size, request.page_token)
        channel_id = paging.uuid(request.channel_id, "channelId") if request.channel_id else None
        async with self._pool.acquire() as connection:
            rows = await db.page(connection, caller().corp_id, channel_id, page.after, page.size)
        return pb.ListLiveCodesResponse(
            live_codes=[_live_code(row) for row in rows],
            next_page_token=page.next_token([row["live_code_id"] for row in rows]),
        )

    async def PauseLiveCode(self, request: pb.PauseLiveCodeRequest, context: Any) -> pb.PauseLiveCodeResponse:
        live_code_id = paging.uuid(request.live_code_id, "liveCodeId")
        return pb.PauseLiveCodeResponse(
            live_code=_live_code(await self._live_codes.pause(caller().corp_id, live_code_id))
        )


def _live_code(row: Row) -> pb.LiveCode:
    return pb.LiveCode(
        live_code_id=row["live_code_id"],
        channel_id=row["channel_id"],
        name=row["name"],
        userids=row["userids"],
        state=row["state"],
        status=pb.LiveCodeStatus.Value(f"LIVE_CODE_STATUS_{row['status']}"),
        config_id=row["config_id"] or "",
        qr_code=row["qr_code"] or "",
        failure=row["failure"] or "",
        created_at=row["created_at"],
        paused_at=row["paused_at"],
    )
