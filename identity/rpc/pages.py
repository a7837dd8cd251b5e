from __future__ import annotations

from typing import Any

from bihuan.identity.v1 import page_service_pb2 as pb
from bihuan.identity.v1 import page_service_pb2_grpc as grpc_pb

from chassis.kernel.caller import caller
from identity.app.pages import PageSigning, Signature


class PageServicer(grpc_pb.PageServiceServicer):
    def __init__(self, signing: PageSigning) -> None:
        self._signing = signing

    async def SignPage(self, request: pb.SignPageRequest, context: Any) -> pb.SignPageResponse:
        corp_id = caller().corp_id
        signed = await self._signing.sign(corp_id, request.url, request.refused_ticket_ids)
        return pb.SignPageResponse(
            corp_id=corp_id,
            agent_id=signed.agent_id,
            config=_signature(signed.config),
            agent_config=_signature(signed.agent_config),
        )


def _signature(one: Signature) -> pb.PageSignature:
    return pb.PageSignature(nonce=one.nonce, timestamp=one.timestamp, signature=one.signature, ticket_id=one.ticket_id)
