from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bihuan.identity.v1 import identifier_policy_service_pb2 as pb
from bihuan.identity.v1 import identifier_policy_service_pb2_grpc as grpc_pb

from chassis import paging
from chassis.errors import Invalid
from chassis.kernel.caller import caller
from chassis.moments import stamp
from chassis.pool import Row
from identity.app.policies import IdentifierPolicies
from identity.domain.policies import Policy


class IdentifierPolicyServicer(grpc_pb.IdentifierPolicyServiceServicer):
    def __init__(self, policies: IdentifierPolicies) -> None:
        self._policies = policies

    async def ListIdentifierPolicies(
        self, request: pb.ListIdentifierPoliciesRequest, context: Any
    ) -> pb.ListIdentifierPoliciesResponse:
        shown = await self._shown(caller().corp_id)
        return pb.ListIdentifierPoliciesResponse(policies=shown.values())

    async def SetIdentifierPolicy(
        self, request: pb.SetIdentifierPolicyRequest, context: Any
    ) -> pb.SetIdentifierPolicyResponse:
        me, kind = caller(), paging.text(request.kind, "kind", most=40)
        if request.keep_denied and request.denied_values:
            raise Invalid("DENIED_TWICE", field="deniedValues", expected="no values where those denied before are kept")
        wanted = Policy(
            kind,
            priority=request.priority,
            most_per_customer=request.most_per_customer,
            most_customers=request.most_customers,
        )
        effect, confirmation = await self._policies.set(
            me.corp_id,
            wanted,
            None if request.keep_denied else list(request.denied_values),
            me.name,
            dry_run=request.dry_run,
            confirm=request.confirm,
        )
        return pb.SetIdentifierPolicyResponse(
            policy=(await self._shown(me.corp_id)).get(kind),
            effect=pb.PolicyEffect(**asdict(effect)),
            confirmation=confirmation,
        )

    async def _shown(self, corp_id: str) -> dict[str, pb.IdentifierPolicy]:
        policies, rows = await self._policies.list(corp_id)
        own = {row["kind"]: row for row in rows}
        return {policy.kind: _policy(policy, own.get(policy.kind)) for policy in policies.every()}


def _policy(policy: Policy, row: Row | None) -> pb.IdentifierPolicy:
    return pb.IdentifierPolicy(
        kind=policy.kind,
        priority=policy.priority,
        most_per_customer=policy.most_per_customer,
        most_customers=policy.most_customers,
        normaliser=policy.normaliser,
        denied=len(policy.denied),
        own=row is not None,
        set_by=row["set_by"] if row is not None else "",
        set_at=stamp(row["set_at"]) if row is not None else None,
    )
