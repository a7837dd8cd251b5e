from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bihuan.common.v1.list_pb2 import Total
from bihuan.identity.v1 import customer_service_pb2 as pb
from bihuan.identity.v1 import customer_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import NotFound
from chassis.kernel.caller import Caller, caller, masked
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.staff_filter import wanted_staff
from chassis.kernel.totals import LIMIT, MOST
from chassis.moments import stamp
from chassis.pool import Connection, Pool
from chassis.sealing import Sealer
from identity.app.names import NamePrefixes
from identity.db import customer_pages as pages
from identity.db import customers as db
from identity.db import profiles
from identity.db.customer_pages import Wanted
from identity.domain.customers import ACCOUNTS
from identity.rpc import customer_requests

ORDERS: dict[str, type] = {"created_at": datetime}


class CustomerServicer(grpc_pb.CustomerServiceServicer):
    def __init__(self, pool: Pool, sealer: Sealer, identifiers: Identifiers) -> None:
        self._pool, self._sealer, self._identifiers = pool, sealer, identifiers
        self._names = NamePrefixes(identifiers)

    async def ListCustomers(self, request: pb.ListCustomersRequest, context: Any) -> pb.ListCustomersResponse:
        me = caller()
        page = paging.sorted_page(request.page_size, request.page_token, request.order_by, ORDERS)
        since, until = customer_requests.period(request)
        userid, department_id = customer_requests.followed_by(request)
        prefix_id = customer_requests.name_prefix(request, me, self._names)
        async with self._pool.acquire() as connection:
            followers = await wanted_staff(
                connection,
                me.corp_id,
                confined_to=me.confined_to,
                userid=userid,
                department_id=department_id,
                table="staff",
            )
            wanted = Wanted(me.corp_id, None if followers is None else sorted(followers), prefix_id, since, until)
            begins = await pages.begin(connection, wanted)
            places = await pages.page(connection, wanted, begins, page.after, page.size, descending=page.descending)
            counted, cut = await pages.count(connection, wanted, begins, LIMIT) if request.with_total else (0, False)
            ids = [customer_id for _, customer_id in places]
            found = {one.customer_id: one for one in await profiles.whole(connection, me.corp_id, ids)}
        return pb.ListCustomersResponse(
            customers=[self._shown(me, found[one]) for one in ids if one in found],
            next_page_token=page.next_token(places),
            total=Total(count=min(counted, MOST), at_least=cut or counted > MOST) if request.with_total else None,
        )

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        me, asked = caller(), paging.uuid(request.customer_id, "customerId")
        async with self._pool.acquire() as connection:
            found = await self._in_scope(connection, me, [asked])
        if found is None:
            raise NotFound("CUSTOMER_NOT_FOUND", field="customerId")
        return pb.GetCustomerResponse(customer=self._shown(me, found))

    async def GetCustomerOfContact(
        self, request: pb.GetCustomerOfContactRequest, context: Any
    ) -> pb.GetCustomerOfContactResponse:
        name = self._identifiers.name(caller().corp_id, "external_userid", request.external_userid)
        customer = await self._of_identifier(name.id if name is not None else None, "externalUserid")
        return pb.GetCustomerOfContactResponse(customer=customer)

    async def GetCustomerOfIdentifier(
        self, request: pb.GetCustomerOfIdentifierRequest, context: Any
    ) -> pb.GetCustomerOfIdentifierResponse:
        customer = await self._of_identifier(paging.uuid(request.identifier_id, "identifierId"), "identifierId")
        return pb.GetCustomerOfIdentifierResponse(customer=customer)

    async def _of_identifier(self, identifier_id: str | None, field: str) -> pb.Customer:
        me = caller()
        async with self._pool.acquire() as connection:
            ids = await db.of_identifiers(connection, me.corp_id, [identifier_id]) if identifier_id is not None else []
            found = await self._in_scope(connection, me, ids)
        if found is None:
            raise NotFound("CUSTOMER_NOT_FOUND", field=field)
        return self._shown(me, found)

    async def _in_scope(self, connection: Connection, me: Caller, ids: Sequence[str]) -> profiles.Customer | None:
        """The customer of one of these ids, whom the caller may see."""
        followers = await db.followers(connection, me.corp_id, me.confined_to)
        found = await profiles.whole(connection, me.corp_id, ids)
        if not found:
            return None
        if followers is not None and not await db.is_followed(connection, me.corp_id, found[0].customer_id, followers):
            return None
        return found[0]

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
