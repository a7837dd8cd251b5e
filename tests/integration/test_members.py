"""A job in another service asks identity who somebody is now, over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from bihuan.identity.v1 import staff_service_pb2_grpc as grpc_pb

from chassis.errors import Forbidden, Unauthenticated, Unavailable
from chassis.idempotency import IdempotentRequests
from chassis.kernel import job_servicer
from chassis.kernel.caller import Caller
from chassis.kernel.corps import Corps
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.members import IdentityMembers
from chassis.rpc import Server, channel
from chassis.sealing import Sealer
from identity.app.access import Access, LocalMembers
from identity.rpc.access import AccessServicer
from tests.conftest import CORP, free_port

Rooms = Callable[[str], Any]
KEY = "k" * 16
ANNA = Caller(CORP, "anna", "FRONTLINE")


@asynccontextmanager
async def identity(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> AsyncIterator[Any]:
    """identity as it is reached from elsewhere, and from its own house."""
    async with rooms("identity") as room:
        access = Access(room.pool, SimpleNamespace())  # type: ignore[arg-type]
        once = IdempotentRequests(room.outbox, sealer, identifiers)
        server = Server(KEY, "127.0.0.1", 0)
        server.add(grpc_pb.add_AccessServiceServicer_to_server, AccessServicer(access, sealer, once, Corps(())))
        server.add(job_servicer.register, job_servicer.JobServicer("identity", room.outbox))
        await server.start()
        await room.pool.execute(
            """
            insert into staff (corp_id, userid, sealed_name, fingerprint, department_ids, active, version)
            values ($1, 'anna', '', '', '{1}', true, 1)
            """,
            CORP,
        )
        async with channel(f"127.0.0.1:{server.port}") as opened:
            ways = (IdentityMembers(opened, KEY), LocalMembers(access))
            yield SimpleNamespace(room=room, access=access, ways=ways)
        await server.stop()


async def test_a_member_is_who_they_are_now(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with identity(rooms, sealer, identifiers) as at:
        for members in at.ways:
            assert await members.role_of(ANNA) == "FRONTLINE"
        await at.room.pool.execute("insert into roles (corp_id, userid, role) values ($1, 'anna', 'OPERATOR')", CORP)
        for members in at.ways:
            assert await members.role_of(ANNA) == "OPERATOR"
        await at.room.pool.execute("update staff set active = false")
        for members in at.ways:
            for who in (ANNA, Caller("ww0", "anna", "ADMIN"), Caller(CORP, "nobody", "ADMIN")):
                with pytest.raises(Forbidden):
                    await members.role_of(who)


async def test_a_key_is_one_until_it_is_revoked(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with identity(rooms, sealer, identifiers) as at:
        async with at.room.outbox.transaction() as tx:
            row, _ = await at.access.create_key(tx, CORP, "crm")
        program = Caller(CORP, "", "SERVICE", str(row["api_key_id"]))
        assert Caller.named(CORP, program.name, "SERVICE") == program
        for members in at.ways:
            assert await members.role_of(program) == "SERVICE"
        await at.access.revoke_key(CORP, program.api_key_id)
        for members in at.ways:
            with pytest.raises((Forbidden, Unauthenticated)):
                await members.role_of(program)


async def test_while_identity_is_away_nobody_is_dismissed() -> None:
    async with channel(f"127.0.0.1:{free_port()}") as opened:
        with pytest.raises(Unavailable):
            await IdentityMembers(opened, KEY).role_of(ANNA)
