from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bihuan.acquisition.v1 import live_code_service_pb2 as pb
from bihuan.acquisition.v1 import live_code_service_pb2_grpc as grpc_pb

from acquisition.app.live_codes import LiveCodes, is_told_otherwise
from acquisition.db import live_code_lists as lists
from acquisition.db import live_codes as db
from chassis import paging
from chassis.errors import Invalid, NotFound
from chassis.idempotency import IdempotentRequests
from chassis.kernel.caller import caller
from chassis.kernel.totals import LIMIT, total
from chassis.outbox import Tx
from chassis.pool import Pool, Row

FIELDS: dict[str, type] = {"created_at": datetime, "name": str}
STATUS = "LIVE_CODE_STATUS_"


class LiveCodeServicer(grpc_pb.LiveCodeServiceServicer):
    """`wake` tells the loops that make and update contact ways that there is one to look at."""

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
        corp_id = caller().corp_id
        page = paging.sorted_page(request.page_size, request.page_token, request.order_by, FIELDS, "created_at")
        wanted = lists.Wanted(
            channel_id=paging.uuid(request.channel_id, "channelId") if request.channel_id else None,
            userid=request.userid.strip().lower() or None,
            status=pb.LiveCodeStatus.Name(request.status).removeprefix(STATUS) if request.status else None,
            name=request.name.strip() or None,
            archived=request.archived,
        )
        async with self._pool.acquire() as connection:
            rows = await lists.page(connection, corp_id, page, wanted)
            counted = await lists.count(connection, corp_id, wanted, LIMIT) if request.with_total else None
        return pb.ListLiveCodesResponse(
            live_codes=[_live_code(row) for row in rows],
            next_page_token=page.next_token([(row[page.order_by], row["live_code_id"]) for row in rows]),
            total=None if counted is None else total(counted),
        )

    async def UpdateLiveCode(self, request: pb.UpdateLiveCodeRequest, context: Any) -> pb.UpdateLiveCodeResponse:
        live_code_id = paging.uuid(request.live_code_id, "liveCodeId")
        if not request.HasField("name") and not request.userids:
            raise Invalid("NOTHING_TO_CHANGE", field="body", expected="name or userids")
        row = await self._live_codes.update(
            caller().corp_id,
            live_code_id,
            request.revision if request.HasField("revision") else None,
            request.name if request.HasField("name") else None,
            request.userids,
        )
        self._wake()
        return pb.UpdateLiveCodeResponse(live_code=_live_code(row))

    async def PauseLiveCode(self, request: pb.PauseLiveCodeRequest, context: Any) -> pb.PauseLiveCodeResponse:
        live_code_id = paging.uuid(request.live_code_id, "liveCodeId")
        row = await self._live_codes.pause(caller().corp_id, live_code_id)
        return pb.PauseLiveCodeResponse(live_code=_live_code(row))

    async def ResumeLiveCode(self, request: pb.ResumeLiveCodeRequest, context: Any) -> pb.ResumeLiveCodeResponse:
        live_code_id = paging.uuid(request.live_code_id, "liveCodeId")
        row = await self._live_codes.resume(caller().corp_id, live_code_id)
        return pb.ResumeLiveCodeResponse(live_code=_live_code(row))

    async def ArchiveLiveCode(self, request: pb.ArchiveLiveCodeRequest, context: Any) -> pb.ArchiveLiveCodeResponse:
        live_code_id = paging.uuid(request.live_code_id, "liveCodeId")
        row = await self._live_codes.pause(caller().corp_id, live_code_id, archive=True)
        return pb.ArchiveLiveCodeResponse(live_code=_live_code(row))

    async def RestoreLiveCode(self, request: pb.RestoreLiveCodeRequest, context: Any) -> pb.RestoreLiveCodeResponse:
        live_code_id = paging.uuid(request.live_code_id, "liveCodeId")
        row = await self._live_codes.restore(caller().corp_id, live_code_id)
        return pb.RestoreLiveCodeResponse(live_code=_live_code(row))


def _live_code(row: Row) -> pb.LiveCode:
    return pb.LiveCode(
        live_code_id=row["live_code_id"],
        channel_id=row["channel_id"],
        name=row["name"],
        userids=row["userids"],
        state=row["state"],
        status=pb.LiveCodeStatus.Value(STATUS + row["status"]),
        config_id=row["config_id"] or "",
        qr_code=row["qr_code"] or "",
        failure=row["failure"] or "",
        created_at=row["created_at"],
        paused_at=row["paused_at"],
        archived_at=row["archived_at"],
        revision=row["revision"],
        syncing=is_told_otherwise(row),
    )
