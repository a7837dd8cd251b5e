from __future__ import annotations

from typing import Any

from bihuan.identity.v1 import customer_service_pb2 as pb
from bihuan.identity.v1 import customer_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import NotFound
from chassis.kernel.caller import Caller, caller, masked
from chassis.moments import stamp
from chassis.pool import Pool, Row
from chassis.sealing import Sealer
from identity.db import customers as db
from identity.domain.people import ACCOUNTS


class CustomerServicer(grpc_pb.CustomerServiceServicer):
    def __init__(self, pool: Pool, sealer: Sealer) -> None:
        self._pool, self._sealer = pool, sealer

    async def ListCustomers(self, request: pb.ListCustomersRequest, context: Any) -> pb.ListCustomersResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        before = paging.uuid(page.after, "pageToken") if page.after else None
        async with self._pool.acquire() as connection:
            ids = await db.page(connection, me.corp_id, me.confined_to, before, page.size)
            rows = await db.whole(connection, me.corp_id, ids)
        customers = [self._shown(me, rows[one]) for one in ids if one in rows]
        return pb.ListCustomersResponse(customers=customers, next_page_token=page.next_token(ids))

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        me, asked = caller(), paging.uuid(request.customer_id, "customerId")
        async with self._pool.acquire() as connection:
            row = await db.get(connection, me.corp_id, asked, me.confined_to)
        if row is None:
            raise NotFound("CUSTOMER_NOT_FOUND", field="customerId")
        return pb.GetCustomerResponse(customer=self._shown(me, row))

    async def GetPeopleFigures(self, request: pb.GetPeopleFiguresRequest, context: Any) -> pb.GetPeopleFiguresResponse:
        async with self._pool.acquire() as connection:
            row = await db.figures(connection, caller().corp_id, ACCOUNTS)
        return pb.GetPeopleFiguresResponse(
            people=row["people"],
            identifiers=row["identifiers"],
            merges=row["merges"],
            conflicts=row["conflicts"],
            living_relations=row["living"],
        )

    def _shown(self, me: Caller, row: Row) -> pb.Customer:
        identifiers, name = [], ""
        for kind, identifier_id, sealed, sealed_name in row["identifiers"] or ():
            clear = me.sees_names and kind == "external_userid"
            value = self._sealer.open(me.corp_id, sealed) if clear else ""
            identifiers.append(pb.CustomerIdentifier(kind=kind, identifier_id=identifier_id, value=value))
            if sealed_name and not name:
                name = self._sealer.open(me.corp_id, sealed_name)
        return pb.Customer(
            customer_id=row["customer_id"],
            name=name if me.sees_names else masked(name),
            identifiers=identifiers,
            relations=[
                pb.Relation(userid=userid, added_at=stamp(added_at), ended_at=stamp(ended_at))
                for userid, added_at, ended_at in row["relations"] or ()
            ],
            created_at=stamp(row["created_at"]),
            paid_orders=row["orders"],
            net_paid_fen=row["net"],
        )
