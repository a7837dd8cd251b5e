"""Asks identity who somebody is now, for work that goes on after their call."""

from __future__ import annotations

import grpc
from bihuan.access.v1.access_pb2 import Role
from bihuan.identity.v1 import staff_service_pb2 as pb
from bihuan.identity.v1 import staff_service_pb2_grpc as grpc_pb

from chassis.errors import Forbidden, Unavailable
from chassis.kernel.caller import Caller
from chassis.rpc import call_metadata

CALL_SECONDS = 3
GONE = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


class IdentityMembers:
    def __init__(self, identity: grpc.aio.Channel, service_key: str) -> None:
        self._stub, self._service_key = grpc_pb.AccessServiceStub(identity), service_key

    async def role_of(self, who: Caller) -> str:
        """Raises Forbidden for who is none of ours any more, Unavailable while identity does not say."""
        told = call_metadata(self._service_key)
        try:
            if who.userid:
                member = pb.CheckMemberRequest(corp_id=who.corp_id, userid=who.userid)
                role = (await self._stub.CheckMember(member, timeout=CALL_SECONDS, metadata=told)).role
            else:
                key = pb.CheckApiKeyRequest(corp_id=who.corp_id, api_key_id=who.api_key_id)
                role = (await self._stub.CheckApiKey(key, timeout=CALL_SECONDS, metadata=told)).role
        except grpc.aio.AioRpcError as error:
            if error.code() in GONE:
                raise Forbidden("NOT_A_MEMBER", "none of ours any more") from error
            # The release before knows no CheckApiKey: UNIMPLEMENTED is an outage too.
            raise Unavailable("IDENTITY_AWAY", "identity does not answer") from error
        return Role.Name(role).removeprefix("ROLE_")
