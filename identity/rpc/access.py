from __future__ import annotations

from datetime import UTC
from typing import Any

from bihuan.access.v1.access_pb2 import Role
from bihuan.identity.v1 import staff_service_pb2 as pb
from bihuan.identity.v1 import staff_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.idempotency import IdempotentRequests
from chassis.kernel.caller import caller
from chassis.kernel.corps import Corps
from chassis.outbox import Tx
from chassis.pool import Row
from chassis.sealing import Sealer
from identity.app.access import Access


class AccessServicer(grpc_pb.AccessServiceServicer):
    def __init__(self, access: Access, sealer: Sealer, once: IdempotentRequests, corps: Corps) -> None:
        self._access, self._sealer, self._once, self._corps = access, sealer, once, corps

    async def GetMe(self, request: pb.GetMeRequest, context: Any) -> pb.GetMeResponse:
        me = caller()
        corp = self._corps.get(me.corp_id)
        sealed = await self._access.sealed_name(me.corp_id, me.userid) if me.userid else None
        return pb.GetMeResponse(
            corp_id=me.corp_id,
            userid=me.userid,
            role=Role.Value(f"ROLE_{me.role}"),
            name=self._sealer.open(me.corp_id, sealed) if sealed else "",
            zone=corp.timezone,
            corp_name=corp.name,
        )

    async def SignIn(self, request: pb.SignInRequest, context: Any) -> pb.SignInResponse:
        userid, role = await self._access.sign_in(request.corp_id, request.code)
        return pb.SignInResponse(userid=userid, role=Role.Value(f"ROLE_{role}"))

    async def CheckMember(self, request: pb.CheckMemberRequest, context: Any) -> pb.CheckMemberResponse:
        role = await self._access.role_of(request.corp_id, request.userid, request.session_id)
        return pb.CheckMemberResponse(role=Role.Value(f"ROLE_{role}"))

    async def EndSession(self, request: pb.EndSessionRequest, context: Any) -> pb.EndSessionResponse:
        await self._access.end_session(request.corp_id, request.session_id, request.until.ToDatetime(UTC))
        return pb.EndSessionResponse()

    async def VerifyApiKey(self, request: pb.VerifyApiKeyRequest, context: Any) -> pb.VerifyApiKeyResponse:
        holder = await self._access.verify_key(request.key)
        return pb.VerifyApiKeyResponse(corp_id=holder.corp_id, api_key_id=holder.api_key_id, role=Role.ROLE_SERVICE)

    async def CheckApiKey(self, request: pb.CheckApiKeyRequest, context: Any) -> pb.CheckApiKeyResponse:
        api_key_id = paging.uuid(request.api_key_id, "apiKeyId")
        await self._access.check_key(request.corp_id, api_key_id)
        return pb.CheckApiKeyResponse(role=Role.ROLE_SERVICE)

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Any) -> pb.CreateApiKeyResponse:
        corp_id, name = caller().corp_id, paging.text(request.name, "name", most=60)

        async def create(tx: Tx) -> pb.CreateApiKeyResponse:
            row, key = await self._access.create_key(tx, corp_id, name)
            return pb.CreateApiKeyResponse(api_key=_api_key(row), key=key)

        return await self._once(request, create, pb.CreateApiKeyResponse)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Any) -> pb.ListApiKeysResponse:
        page = paging.uuid_page(request.page_size, request.page_token)
        rows = await self._access.list_keys(caller().corp_id, page.after, page.size)
        return pb.ListApiKeysResponse(
            api_keys=[_api_key(row) for row in rows],
            next_page_token=page.next_token([row["api_key_id"] for row in rows]),
        )

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Any) -> pb.RevokeApiKeyResponse:
        await self._access.revoke_key(caller().corp_id, paging.uuid(request.api_key_id, "apiKeyId"))
        return pb.RevokeApiKeyResponse()


def _api_key(row: Row) -> pb.ApiKey:
    return pb.ApiKey(
        api_key_id=row["api_key_id"], name=row["name"], created_at=row["created_at"], revoked_at=row["revoked_at"]
    )
