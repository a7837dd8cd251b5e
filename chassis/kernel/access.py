"""What the contract says about an RPC: who may call it, and what a confined caller is shown."""

from __future__ import annotations

from dataclasses import dataclass

from bihuan.access.v1 import access_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from chassis.kernel.caller import CONFINED


@dataclass(frozen=True, slots=True)
class Access:
    """`roles` are named without their prefix; none means that only our own processes call the RPC."""

    roles: frozenset[str]
    # NONE or CUSTOMERS; UNSPECIFIED when the contract does not say.
    scope: str

    @property
    def confines(self) -> bool:
        """Whether an answer to a confined caller must have had their scope applied."""
        return self.scope == "CUSTOMERS"


def access_of(method: MethodDescriptor) -> Access:
    """Raises ValueError when confined roles may call it and it does not say what they are shown."""
    declared = method.GetOptions().Extensions[access_pb2.allow]
    roles = frozenset(access_pb2.Role.Name(role).removeprefix("ROLE_") for role in declared.roles)
    scope = access_pb2.Scope.Name(declared.scope).removeprefix("SCOPE_")
    if roles & CONFINED and scope == "UNSPECIFIED":
        raise ValueError(f"{method.full_name}: {', '.join(sorted(roles & CONFINED))} may call it; it declares no scope")
    return Access(roles, scope)


def accesses(service: str) -> dict[str, Access]:
    """RPC name → access, of a service by its full name. Raises KeyError when no generated module holds it."""
    descriptor = descriptor_pool.Default().FindServiceByName(service)
    return {method.name: access_of(method) for method in descriptor.methods}
