"""The public RPCs, read from the descriptors: path, verb, types, roles. Nothing else says what REST offers."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from chassis.kernel.access import access_of

PACKAGES = "bihuan."

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


@cache
def contract() -> FileDescriptorSet:
    """All files of the contract, with their comments, as `make proto` wrote them down."""
    return FileDescriptorSet.FromString(resources.files("bihuan").joinpath("contract.descriptors").read_bytes())


def operations(files: FileDescriptorSet | None = None) -> Iterator[Operation]:
    """Every RPC with a REST path, of every service of ours. Raises ValueError for one that REST cannot offer."""
    for file in (files or contract()).file:
        if not file.package.startswith(PACKAGES) or not file.service:
            continue
        module = importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                if verb is not None:
                    yield _operation(service, method, rule, verb)


def _operation(service: ServiceDescriptor, method: MethodDescriptor, rule: Any, verb: str) -> Operation:
    if method.client_streaming or method.server_streaming:
        raise ValueError(f"{method.full_name}: REST offers no streams")
    return Operation(
        name=method.name,
        service=service.full_name,
        owner=service.full_name.split(".")[1],
        verb=verb.upper(),
        path=getattr(rule, verb),
        has_body=rule.body == "*",
        roles=access_of(method).roles,
        method=method,
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
    )
