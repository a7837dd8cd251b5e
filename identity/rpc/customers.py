from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bihuan.identity.v1 import customer_service_pb2 as pb
from bihuan.identity.v1 import customer_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import NotFound
from chassis.kernel.caller import Caller, caller, masked
from chassis.moments import stamp
from chassis.pool import Connection, Pool, Row
from chassis.sealing import Sealer
from identity.db import customers as db
from identity.domain.customers import ACCOUNTS


class CustomerServicer(grpc_pb.CustomerServiceServicer):
    def __init__(self, pool: Pool, sealer: Sealer) -> None:
        self._pool, self._sealer = pool, sealer

    async def ListCustomers(self, request: pb.ListCustomersRequest, context: Any) -> pb.ListCustomersResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        before = paging.uuid(page.after, "pageToken") if page.after else None
        async with self._pool.acquire() as connection:
            followers = await db.followers(connection, me.corp_id, me.confined_to)
            ids = await db.page(connection, me.corp_id, followers, before, page.size)
            customers = await self._shown(connection, me, ids)
        return pb.ListCustomersResponse(customers=customers, next_page_token=page.next_token(ids))

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        me, asked = caller(), paging.uuid(request.customer_id, "customerId")
        async with self._pool.acquire() as connection:
            followers = await db.followers(connection, me.corp_id, me.confined_to)
            living = await db.living(connection, me.corp_id, asked)
            if living and followers is not None:
                living = living if await db.is_followed(connection, me.corp_id, living, followers) else None
            shown = await self._shown(connection, me, [living]) if living else []
        if not shown:
            raise NotFound("CUSTOMER_NOT_FOUND", field="customerId")
        return pb.GetCustomerResponse(customer=shown[0])

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

    async def _shown(self, connection: Connection, me: Caller, ids: Sequence[str]) -> list[pb.Customer]:
        """In the order of the ids; those that were merged away meanwhile are left out."""
        worths = await db.worths(connection, me.corp_id, ids)
        customers = {
            one: pb.Customer(
                customer_id=one,
                created_at=stamp(worths[one]["created_at"]),
                paid_orders=worths[one]["orders"],
                net_paid_fen=worths[one]["net_fen"],
            )
            for one in ids
            if one in worths
        }
        for row in await db.identifiers_of(connection, me.corp_id, list(customers)):
            self._add_identifier(me, customers[row["customer_id"]], row)
        for row in await db.relations_of(connection, me.corp_id, list(customers)):
            added_at, ended_at = stamp(row["added_at"]), stamp(row["ended_at"])
            relation = pb.Relation(userid=row["userid"], added_at=added_at, ended_at=ended_at)
            customers[row["customer_id"]].relations.append(relation)
        return list(customers.values())

    def _add_identifier(self, me: Caller, customer: pb.Customer, row: Row) -> None:
        clear = me.sees_names and row["kind"] == "external_userid"
        customer.identifiers.add(
            kind=row["kind"],
            identifier_id=row["identifier_id"],
            value=self._sealer.open(me.corp_id, row["sealed"]) if clear else "",
        )
        if row["sealed_name"] and not customer.name:
            name = self._sealer.open(me.corp_id, row["sealed_name"])
            customer.name = name if me.sees_names else masked(name)
