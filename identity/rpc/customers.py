from __future__ import annotations

from typing import Any

from bihuan.identity.v1 import customer_service_pb2 as pb
from bihuan.identity.v1 import customer_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import NotFound
from chassis.kernel.caller import Caller, caller, masked
from chassis.moments import stamp
from chassis.pool import Pool
from chassis.sealing import Sealer
from identity.db import customers as db
from identity.db import profiles
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
            found = await profiles.whole(connection, me.corp_id, ids)
        customers = [self._shown(me, one) for one in found]
        return pb.ListCustomersResponse(customers=customers, next_page_token=page.next_token(ids))

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        me, asked = caller(), paging.uuid(request.customer_id, "customerId")
        async with self._pool.acquire() as connection:
            followers = await db.followers(connection, me.corp_id, me.confined_to)
            found = await profiles.whole(connection, me.corp_id, [asked])
            if found and followers is not None:
                seen = await db.is_followed(connection, me.corp_id, found[0].customer_id, followers)
                found = found if seen else []
        if not found:
            raise NotFound("CUSTOMER_NOT_FOUND", field="customerId")
        return pb.GetCustomerResponse(customer=self._shown(me, found[0]))

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

    def _shown(self, me: Caller, customer: profiles.Customer) -> pb.Customer:
        named = next((one.sealed_name for one in customer.identifiers if one.sealed_name), None)
        name = self._sealer.open(me.corp_id, named) if named else ""
        return pb.Customer(
            customer_id=customer.customer_id,
            name=name if me.sees_names else masked(name),
            identifiers=[
                pb.CustomerIdentifier(kind=one.kind, identifier_id=one.identifier_id, value=self._value(me, one))
                for one in customer.identifiers
            ],
            relations=[
                pb.Relation(userid=one.userid, added_at=stamp(one.added_at), ended_at=stamp(one.ended_at))
                for one in customer.relations
            ],
            created_at=stamp(customer.created_at),
            paid_orders=customer.orders,
            net_paid_fen=customer.net_fen,
        )

    def _value(self, me: Caller, one: profiles.NamedIdentifier) -> str:
        """In the clear only what frontends call WeCom with, and only for those who see names."""
        clear = me.sees_names and one.kind == "external_userid"
        return self._sealer.open(me.corp_id, one.sealed) if clear else ""
