from __future__ import annotations

from typing import Any

from bihuan.identity.v1 import staff_service_pb2 as pb
from bihuan.identity.v1 import staff_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.caller import caller
from chassis.errors import Unavailable
from chassis.pool import Pool
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from identity.app.staff import StaffSync
from identity.store import staff as store


class StaffMembers(grpc_pb.StaffServiceServicer):
    def __init__(self, pool: Pool, sealer: Sealer, sync: StaffSync) -> None:
        self._pool, self._sealer, self._sync = pool, sealer, sync

    async def ListStaff(self, request: pb.ListStaffRequest, context: Any) -> pb.ListStaffResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        async with self._pool.acquire() as connection:
            rows = await store.page(connection, me.corp_id, page.after, page.size)
        return pb.ListStaffResponse(
            staff=[
                pb.Staff(
                    userid=row["userid"],
                    name=self._sealer.open(me.corp_id, row["sealed_name"]),
                    department_ids=row["department_ids"],
                    active=row["active"],
                )
                for row in rows
            ],
            next_page_token=page.next_token([row["userid"] for row in rows]),
        )

    async def SyncStaff(self, request: pb.SyncStaffRequest, context: Any) -> pb.SyncStaffResponse:
        try:
            return pb.SyncStaffResponse(members=await self._sync.sync(caller().corp_id))
        except (WeComError, WeComAway) as error:
            raise Unavailable("WECOM_AWAY", str(error)) from error
