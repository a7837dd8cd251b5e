from __future__ import annotations

from typing import Any

from bihuan.identity.v1 import link_service_pb2 as pb
from bihuan.identity.v1 import link_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import Invalid
from chassis.idempotency import IdempotentRequests
from chassis.kernel.caller import caller
from chassis.moments import stamp
from chassis.outbox import Tx
from chassis.pool import Row
from identity.app.links import Links


class LinkServicer(grpc_pb.LinkServiceServicer):
    def __init__(self, links: Links, once: IdempotentRequests) -> None:
        self._links, self._once = links, once

    async def CreateSeparation(self, request: pb.CreateSeparationRequest, context: Any) -> pb.CreateSeparationResponse:
        me, note = caller(), paging.text(request.note, "note", most=500)
        one, other = paging.uuid(request.one, "one"), paging.uuid(request.other, "other")

        async def create(tx: Tx) -> pb.CreateSeparationResponse:
            row = await self._links.separate(tx, me.corp_id, one, other, note, me.name)
            return pb.CreateSeparationResponse(separation=_separation(row))

        return await self._once(request, create, pb.CreateSeparationResponse)

    async def ListSeparations(self, request: pb.ListSeparationsRequest, context: Any) -> pb.ListSeparationsResponse:
        page = paging.page(request.page_size, request.page_token)
        before = paging.uuid(page.after, "pageToken") if page.after else None
        rows = await self._links.page(caller().corp_id, before, page.size)
        return pb.ListSeparationsResponse(
            separations=[_separation(row) for row in rows],
            next_page_token=page.next_token([row["separation_id"] for row in rows]),
        )

    async def UndoSeparation(self, request: pb.UndoSeparationRequest, context: Any) -> pb.UndoSeparationResponse:
        me = caller()
        row = await self._links.undo(me.corp_id, paging.uuid(request.separation_id, "separationId"), me.name)
        return pb.UndoSeparationResponse(separation=_separation(row))

    async def ListEvidence(self, request: pb.ListEvidenceRequest, context: Any) -> pb.ListEvidenceResponse:
        rows = await self._links.evidence_of(caller().corp_id, paging.uuid(request.customer_id, "customerId"))
        return pb.ListEvidenceResponse(evidence=[_evidence(row) for row in rows])

    async def RevokeEvidence(self, request: pb.RevokeEvidenceRequest, context: Any) -> pb.RevokeEvidenceResponse:
        return pb.RevokeEvidenceResponse(evidence=await self._set_revoked(request, caller().name))

    async def RestoreEvidence(self, request: pb.RestoreEvidenceRequest, context: Any) -> pb.RestoreEvidenceResponse:
        return pb.RestoreEvidenceResponse(evidence=await self._set_revoked(request, None))

    async def _set_revoked(
        self, request: pb.RevokeEvidenceRequest | pb.RestoreEvidenceRequest, by: str | None
    ) -> pb.Evidence:
        one = paging.uuid(request.identifier_id, "identifierId")
        other = paging.uuid(request.other_identifier_id, "otherIdentifierId")
        if one == other:
            raise Invalid("SAME_IDENTIFIER", field="otherIdentifierId", expected="another identifier")
        source = paging.text(request.source, "source", most=60)
        pair = (min(one, other), max(one, other))
        return _evidence(await self._links.set_revoked(caller().corp_id, pair, source, by))


def _separation(row: Row) -> pb.Separation:
    return pb.Separation(
        separation_id=row["separation_id"],
        identifier_id=row["a_id"],
        other_identifier_id=row["b_id"],
        note=row["note"],
        declared_by=row["declared_by"],
        declared_at=stamp(row["declared_at"]),
        undone_by=row["undone_by"] or "",
        undone_at=stamp(row["undone_at"]),
    )


def _evidence(row: Row) -> pb.Evidence:
    return pb.Evidence(
        identifier_id=row["a_id"],
        other_identifier_id=row["b_id"],
        source=row["source"],
        fact_id=row["fact_id"],
        at=stamp(row["at"]),
        revoked_by=row["revoked_by"] or "",
        revoked_at=stamp(row["revoked_at"]),
    )
