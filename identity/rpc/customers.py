from __future__ import annotations

from collections import defaultdict
from typing import Any

from bihuan.identity.v1 import customer_service_pb2 as pb
from bihuan.identity.v1 import customer_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.caller import Caller, caller, masked
from chassis.errors import NotFound
from chassis.pool import Connection, Pool
from chassis.sealing import Sealer
from identity.domain.people import ACCOUNTS
from identity.store import customers as store


class Customers(grpc_pb.CustomerServiceServicer):
    def __init__(self, pool: Pool, sealer: Sealer) -> None:
        self._pool, self._sealer = pool, sealer

    async def ListCustomers(self, request: pb.ListCustomersRequest, context: Any) -> pb.ListCustomersResponse:
        me, page = caller(), paging.page(request.page_size, request.page_token)
        before = paging.uuid(page.after, "pageToken") if page.after else None
        async with self._pool.acquire() as connection:
            ids = await store.page(connection, me.corp_id, me.confined_to, before, page.size)
            customers = await self._read(connection, me, ids)
        return pb.ListCustomersResponse(customers=customers, next_page_token=page.next_token(ids))

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        me, asked = caller(), paging.uuid(request.customer_id, "customerId")
        async with self._pool.acquire() as connection:
            found = await store.living_id(connection, me.corp_id, asked, me.confined_to)
            if found is None:
                raise NotFound("CUSTOMER_NOT_FOUND", field="customerId")
            (customer,) = await self._read(connection, me, [found])
        return pb.GetCustomerResponse(customer=customer)

    async def GetPeopleFigures(self, request: pb.GetPeopleFiguresRequest, context: Any) -> pb.GetPeopleFiguresResponse:
        async with self._pool.acquire() as connection:
            row = await store.figures(connection, caller().corp_id, ACCOUNTS)
        return pb.GetPeopleFiguresResponse(
            people=row["people"],
            identifiers=row["identifiers"],
            merges=row["merges"],
            conflicts=row["conflicts"],
            living_relations=row["living"],
        )

    async def _read(self, connection: Connection, me: Caller, ids: list[str]) -> list[pb.Customer]:
        """Whole customers in the order of `ids`, in three statements however many there are."""
        corp_id = me.corp_id
        heads = await store.heads(connection, corp_id, ids)
        names: dict[str, str] = {}
        identifiers: dict[str, list[pb.CustomerIdentifier]] = defaultdict(list)
        relations: dict[str, list[pb.Relation]] = defaultdict(list)
        for row in await store.identifiers(connection, corp_id, ids):
            clear = me.sees_names and row["kind"] == "external_userid"
            shown = self._sealer.open(corp_id, row["sealed"]) if clear else ""
            identifiers[row["customer_id"]].append(
                pb.CustomerIdentifier(kind=row["kind"], identifier_id=row["identifier_id"], value=shown)
            )
            if row["sealed_name"]:
                name = self._sealer.open(corp_id, row["sealed_name"])
                names.setdefault(row["customer_id"], name if me.sees_names else masked(name))
        for row in await store.relations(connection, corp_id, ids):
            relations[row["customer_id"]].append(
                pb.Relation(userid=row["userid"], added_at=row["added_at"], ended_at=row["ended_at"])
            )
        return [
            pb.Customer(
                customer_id=one,
                name=names.get(one, ""),
                identifiers=identifiers[one],
                relations=relations[one],
                created_at=heads[one]["created_at"],
                paid_orders=heads[one]["orders"],
                net_paid_fen=heads[one]["net"],
            )
            for one in ids
        ]
