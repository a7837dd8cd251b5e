"""OpenAPI 3.1 from the same descriptors, with the contract's own comments as descriptions.

An answer always has the fields that proto3 prints without presence (routes.py has them printed): these are `required`.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from dataclasses import dataclass, field
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from chassis import idempotency
from gateway.rest import openapi_files, own_routes
from gateway.rest.binding import RANGES, WELL_KNOWN
from gateway.rest.contract import MOST_KEY, PACKAGES, PARAMETER, Operation, contract, operations

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "reason"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {"type": "string", "description": "Stable, for programs."},
        "field": {"type": "string", "description": "The field that is wrong."},
        "expected": {"type": "string"},
        "requestId": {"type": "string"},
    },
}
REFUSED = {
    "description": "Refused or failed; see `reason`.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


@dataclass
class Schemas:
    """The named schemas, each made when it is first named. Raises ValueError when two things would have one name."""

    comments: dict[str, str]
    named: dict[str, Any] = field(default_factory=lambda: {"Problem": PROBLEM})
    _meant: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def answer(self, message: Descriptor) -> dict[str, Any]:
        return self._named(message.name, message, is_answer=True)

    def request(self, message: Descriptor) -> dict[str, Any]:
        """Of what answers carry too: a request may leave out more, so it has a schema of its own."""
        return self._named(message.name + "Input", message, is_answer=False)

    def _named(self, name: str, message: Descriptor | EnumDescriptor, *, is_answer: bool) -> dict[str, Any]:
        meant = (message.full_name, is_answer)
        if self._meant.setdefault(name, meant) != meant:
            raise ValueError(f"{name} would mean {self._meant[name][0]} and {message.full_name}: rename one of them")
        if name not in self.named:
            self.named[name] = {}
            if isinstance(message, EnumDescriptor):
                self.named[name] = {"type": "string", "enum": list(message.values_by_name)}
            else:
                self.named[name] = self.object(message, is_answer=is_answer)
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, message: Descriptor, *, is_answer: bool, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        fields = [field for field in message.fields if field.name not in without]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {field.json_name: self.field(field, is_answer=is_answer) for field in fields},
            "additionalProperties": False,
        }
        required = [field.json_name for field in fields if (_is_always_there if is_answer else _must_be_sent)(field)]
        if required:
            schema["required"] = required
        if self.comments.get(message.full_name):
            schema["description"] = self.comments[message.full_name]
        return schema

    def field(self, field: FieldDescriptor, *, is_answer: bool = False) -> dict[str, Any]:
        schema = self._value(field, is_answer=is_answer)
        if field.is_repeated:
            schema = {"type": "array", "items": schema}
        comment = self.comments.get(field.full_name)
        return {**schema, "description": comment} if comment else schema

    def _value(self, field: FieldDescriptor, *, is_answer: bool) -> dict[str, Any]:
        if field.message_type is not None:
            return _well_known(field.message_type) or (self.answer if is_answer else self.request)(field.message_type)
        if field.enum_type is not None:
            return self._named(field.enum_type.name, field.enum_type, is_answer=True)
        if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
            return {"type": "string", "pattern": r"^-?\d{1,19}$"}
        if field.cpp_type in RANGES:
            return {"type": "integer", "format": "int32"}
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return {"type": "boolean"}
        if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            return {"type": "number"}
        return {"type": "string"}


def document(version: str, files: FileDescriptorSet | None = None) -> dict[str, Any]:
    """OpenAPI of all operations; `files`: another contract than ours."""
    schemas = Schemas(_comments(files or contract()))
    paths: dict[str, Any] = {}
    for operation in operations(files):
        paths.setdefault(operation.path_for_openapi, {})[operation.verb.lower()] = _operation(operation, schemas)
    if files is None:
        paths |= own_routes.paths(schemas.answer, REFUSED)
        paths |= openapi_files.paths(schemas.answer)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bihuan",
            "version": version,
            "description": "The growth loop's REST API. Sign in at /auth/login or send `Authorization: Bearer`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.named,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "bihuan_session"},
            },
        },
        "security": [{"bearer": []}, {"session": []}],
    }


def _operation(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    request = operation.method.input_type
    in_path = frozenset(PARAMETER.findall(operation.path))
    parameters = [
        {"name": field.json_name, "in": "path", "required": True, "schema": schemas.field(field)}
        for field in request.fields
        if field.name in in_path
    ]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.owner],
        "description": schemas.comments.get(f"{operation.service}.{operation.name}", ""),
        "x-roles": sorted(operation.roles),
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": schemas.answer(operation.method.output_type)}},
            },
            "default": REFUSED,
        },
    }
    if operation.is_create:
        parameters.append(
            {
                "name": idempotency.FIELD,
                "in": "header",
                "description": "Makes the request safe to repeat for a day: the same key and body get the same answer.",
                "schema": {"type": "string", "maxLength": MOST_KEY, "pattern": "^[ -~]*$"},
            }
        )
    if operation.has_body:
        body = schemas.object(request, is_answer=False, without=in_path)
        described["requestBody"] = {
            "required": bool(body.get("required")),
            "content": {"application/json": {"schema": body}},
        }
    else:
        parameters += [
            {"name": field.json_name, "in": "query", "schema": schemas.field(field)}
            for field in request.fields
            if field.name not in in_path
        ]
    return described


def _is_always_there(field: FieldDescriptor) -> bool:
    """Messages have presence: those that an answer never lacks are marked REQUIRED in the contract."""
    return field.is_repeated or not field.has_presence or _must_be_sent(field)


def _must_be_sent(field: FieldDescriptor) -> bool:
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def _well_known(message: Descriptor) -> dict[str, Any] | None:
    if message.full_name not in WELL_KNOWN:
        return None
    if message.full_name.endswith("Timestamp"):
        return {"type": "string", "format": "date-time"}
    return {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"}


def _comments(files: FileDescriptorSet) -> dict[str, str]:
    """Full name → leading comment. Python's generated descriptors do not carry comments; these do."""
    found: dict[str, str] = {}
    for file in files.file:
        if not file.package.startswith(PACKAGES):
            continue
        for location in file.source_code_info.location:
            text = " ".join(location.leading_comments.split())
            path = list(location.path)
            if not text or len(path) not in (2, 4):
                continue
            if path[0] == 4:
                message = file.message_type[path[1]]
                name = f"{file.package}.{message.name}"
                if len(path) == 4 and path[2] == 2:
                    name += f".{message.field[path[3]].name}"
            elif path[0] == 6:
                service = file.service[path[1]]
                name = f"{file.package}.{service.name}"
                if len(path) == 4 and path[2] == 2:
                    name += f".{service.method[path[3]].name}"
            else:
                continue
            found[name] = text
    return found


if __name__ == "__main__":
    json.dump(document(importlib.metadata.version("bihuan")), sys.stdout, ensure_ascii=False, indent=1)
