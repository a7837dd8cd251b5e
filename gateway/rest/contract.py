"""The public RPCs, read from the descriptors: path, verb, types, roles. Nothing else says what REST offers."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bihuan.access.v1 import access_pb2
from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

MODULES = (
    "bihuan.acquisition.v1.channel_service_pb2",
    "bihuan.acquisition.v1.live_code_service_pb2",
    "bihuan.engagement.v1.welcome_service_pb2",
    "bihuan.engagement.v1.alert_service_pb2",
    "bihuan.commerce.v1.order_service_pb2",
    "bihuan.commerce.v1.gmv_service_pb2",
    "bihuan.identity.v1.customer_service_pb2",
    "bihuan.identity.v1.identifier_policy_service_pb2",
    "bihuan.identity.v1.link_service_pb2",
    "bihuan.identity.v1.staff_service_pb2",
    "bihuan.operations.v1.dead_letter_service_pb2",
)
# Of an Idempotency-Key, characters.
MOST_KEY = 200
PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Operation:
    """One public RPC. `path` has `{field}` for path parameters; `has_body` means that the body is the request."""

    name: str
    service: str
    # acquisition, engagement, commerce, identity; operations: whichever the path's {service} names
    owner: str
    verb: str
    path: str
    has_body: bool
    roles: frozenset[str]
    method: MethodDescriptor
    request: type[Message]
    response: type[Message]

    @property
    def path_for_openapi(self) -> str:
        """The path with its parameters in the spelling of JSON."""
        names = {field.name: field.json_name for field in self.method.input_type.fields}
        return PARAMETER.sub(lambda match: "{" + names[match[1]] + "}", self.path)

    @property
    def is_create(self) -> bool:
        """Whether it may carry an Idempotency-Key."""
        return self.name.startswith("Create")

    @property
    def rpc(self) -> str:
        return f"/{self.service}/{self.name}"


def operations() -> Iterator[Operation]:
    for module in MODULES:
        descriptor = importlib.import_module(module).DESCRIPTOR
        for service in descriptor.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                if verb is None:
                    continue
                allowed = method.GetOptions().Extensions[access_pb2.allow].roles
                yield Operation(
                    name=method.name,
                    service=service.full_name,
                    owner=service.full_name.split(".")[1],
                    verb=verb.upper(),
                    path=getattr(rule, verb),
                    has_body=rule.body == "*",
                    roles=frozenset(access_pb2.Role.Name(role).removeprefix("ROLE_") for role in allowed),
                    method=method,
                    request=message_factory.GetMessageClass(method.input_type),
                    response=message_factory.GetMessageClass(method.output_type),
                )
