from __future__ import annotations

from typing import Any

from bihuan.engagement.v1 import alert_service_pb2 as pb
from bihuan.engagement.v1 import alert_service_pb2_grpc as grpc_pb

from chassis.kernel.caller import caller
from chassis.moments import as_of
from chassis.pool import Pool
from engagement.db import alerts as db


class AlertServicer(grpc_pb.AlertServiceServicer):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def GetAlertFigures(self, request: pb.GetAlertFiguresRequest, context: Any) -> pb.GetAlertFiguresResponse:
        moment = as_of(request)
        async with self._pool.acquire() as connection:
            row = await db.figures(connection, caller().corp_id, moment)
        return pb.GetAlertFiguresResponse(**dict(row))
