from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bihuan.access.v1.access_pb2 import Role
from bihuan.identity.v1 import staff_service_pb2 as pb
from bihuan.identity.v1 import staff_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import Invalid, Unavailable
from chassis.kernel.caller import Caller, caller, masked
from chassis.kernel.totals import LIMIT, total
from chassis.paging import Page, SortedPage
from chassis.pool import Pool, Row
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from identity.app.gaps import RelationGaps
from identity.app.names import NamePrefixes
from identity.app.staff import Staff
from identity.db import departments, staff_lists
from identity.domain.names import MOST_CHARACTERS as MOST_OF_NAME
from identity.domain.names import folded
from identity.rpc.customer_requests import department

# A program's role comes with its key.
GRANTABLE = (Role.ROLE_ADMIN, Role.ROLE_FRONTLINE, Role.ROLE_MANAGER, Role.ROLE_OPERATOR, Role.ROLE_ANALYST)
ROLES_EXPECTED = "one of " + ", ".join(Role.Name(role) for role in GRANTABLE)
ORDERS: dict[str, type] = {"userid": str}
MOST_GAPS, MOST_CHARACTERS = 50, 64


class StaffServicer(grpc_pb.StaffServiceServicer):
    def __init__(self, pool: Pool, sealer: Sealer, names: NamePrefixes, staff: Staff, gaps: RelationGaps) -> None:
        self._pool, self._sealer, self._staff, self._gaps = pool, sealer, staff, gaps
        self._names = names

    async def ListStaff(self, request: pb.ListStaffRequest, context: Any) -> pb.ListStaffResponse:
        me = caller()
        page = _page(request)
        wanted = self._wanted(me, request)
        async with self._pool.acquire() as connection:
            rows = await staff_lists.page(connection, wanted, page)
            counted = await staff_lists.count(connection, wanted, LIMIT) if request.with_total else 0
        return pb.ListStaffResponse(
            staff=[self._shown(me, row) for row in rows],
            next_page_token=_next_token(page, [row["userid"] for row in rows]),
            total=total(counted) if request.with_total else None,
        )

    def _wanted(self, me: Caller, request: pb.ListStaffRequest) -> staff_lists.Wanted:
        """Raises Invalid."""
        if request.role and request.role not in GRANTABLE:
            raise Invalid("ROLE_WRONG", field="role", expected=ROLES_EXPECTED)
        name = paging.text(request.name, "name", most=MOST_CHARACTERS) if request.name else ""
        by_name = name and me.sees_names and len(folded(name)) <= MOST_OF_NAME
        return staff_lists.Wanted(
            me.corp_id,
            me.confined_to,
            userid=name.lower(),
            # By name only for those who are shown names: letter by letter others could guess them.
            prefix_id=self._names.asked(me.corp_id, name) if by_name else None,
            department_id=department(request.department_id) if request.HasField("department_id") else None,
            role=Role.Name(request.role).removeprefix("ROLE_") if request.role else "",
            active=request.active if request.HasField("active") else None,
        )

    async def SetRole(self, request: pb.SetRoleRequest, context: Any) -> pb.SetRoleResponse:
        me, userid = caller(), paging.text(request.userid, "userid", most=64).lower()
        if request.role not in GRANTABLE:
            raise Invalid("ROLE_WRONG", field="role", expected=ROLES_EXPECTED)
        role = Role.Name(request.role).removeprefix("ROLE_")
        row = await self._staff.set_role(me.corp_id, userid, role, request.department_ids)
        return pb.SetRoleResponse(staff=self._shown(me, row))

    async def ListDepartments(self, request: pb.ListDepartmentsRequest, context: Any) -> pb.ListDepartmentsResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        after = paging.whole(page.after, "pageToken") if page.after else 0
        async with self._pool.acquire() as connection:
            rows = await departments.page(connection, me.corp_id, after, page.size)
        return pb.ListDepartmentsResponse(
            departments=[
                pb.Department(department_id=row["department_id"], parent_id=row["parent_id"], name=row["name"])
                for row in rows
            ],
            next_page_token=page.next_token([str(row["department_id"]) for row in rows]),
        )

    async def ListRelationGaps(self, request: pb.ListRelationGapsRequest, context: Any) -> pb.ListRelationGapsResponse:
        if request.page_size > MOST_GAPS:
            raise Invalid("PAGE_SIZE_OUT_OF_RANGE", field="pageSize", expected=f"1 to {MOST_GAPS}")
        page = paging.page(request.page_size, request.page_token)
        looked_at = await self._gaps.page(caller().corp_id, page.after, page.size)
        return pb.ListRelationGapsResponse(
            gaps=[
                pb.RelationGap(
                    userid=gap.userid,
                    ours=gap.ours,
                    wecoms=gap.wecoms,
                    missing=gap.missing,
                    surplus=gap.surplus,
                    errcode=gap.errcode,
                )
                for gap in looked_at
                if gap.missing or gap.surplus or gap.errcode
            ],
            staff=len(looked_at),
            ours=sum(gap.ours for gap in looked_at),
            wecoms=sum(gap.wecoms for gap in looked_at),
            next_page_token=page.next_token([gap.userid for gap in looked_at]),
        )

    async def SyncStaff(self, request: pb.SyncStaffRequest, context: Any) -> pb.SyncStaffResponse:
        try:
            return pb.SyncStaffResponse(members=await self._staff.read_book(caller().corp_id))
        except (WeComError, WeComAway) as error:
            raise Unavailable("WECOM_AWAY", str(error)) from error

    def _shown(self, me: Caller, row: Row) -> pb.Staff:
        name = self._sealer.open(me.corp_id, row["sealed_name"])
        return pb.Staff(
            userid=row["userid"],
            name=name if me.sees_names else masked(name),
            department_ids=row["department_ids"],
            active=row["active"],
            role=Role.Value(f"ROLE_{row['role']}"),
            managed_department_ids=row["managed_department_ids"],
        )


def _page(request: pb.ListStaffRequest) -> SortedPage:
    """By userid, a page's token is the last userid alone: the release before knows no other order."""
    after = paging.page(request.page_size, request.page_token).after
    is_userid = bool(after) and not after.startswith("[")
    token = "" if is_userid else request.page_token
    asked = paging.sorted_page(request.page_size, token, request.order_by, ORDERS, "userid", uuid_keys=False)
    if is_userid and asked.descending:
        raise Invalid("PAGE_TOKEN_WRONG", field="pageToken", expected=paging.TOKEN_EXPECTED)
    return replace(asked, after=(after, after)) if is_userid else asked


def _next_token(asked: SortedPage, userids: Sequence[str]) -> str:
    if asked.descending:
        return asked.next_token([(one, one) for one in userids])
    return Page(asked.size, "").next_token(list(userids))
