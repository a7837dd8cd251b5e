"""OpenAPI 3.1 from the same descriptors, with the contract's own comments as descriptions."""

from __future__ import annotations

from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from chassis import idempotency
from gateway.rest import openapi_files
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


def document(version: str, files: FileDescriptorSet | None = None) -> dict[str, Any]:
    """OpenAPI of all operations; `files`: another contract than ours."""
    comments = _comments(files or contract())
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    for operation in operations(files):
        paths.setdefault(operation.path_for_openapi, {})[operation.verb.lower()] = _operation(
            operation, schemas, comments
        )
    if files is None:
        paths |= openapi_files.paths(lambda message: _reference(message, schemas, comments))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bihuan",
            "version": version,
            "description": "The growth loop's REST API. Sign in at /auth/login or send `Authorization: Bearer`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "bihuan_session"},
            },
        },
        "security": [{"bearer": []}, {"session": []}],
    }


def _operation(operation: Operation, schemas: dict[str, Any], comments: dict[str, str]) -> dict[str, Any]:
    request = operation.method.input_type
    in_path = frozenset(PARAMETER.findall(operation.path))
    parameters = [
        {"name": field.json_name, "in": "path", "required": True, "schema": _field(field, schemas, comments)}
        for field in request.fields
        if field.name in in_path
    ]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.owner],
        "description": comments.get(f"{operation.service}.{operation.name}", ""),
        "x-roles": sorted(operation.roles),
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Done.",
                "content": {
                    "application/json": {"schema": _reference(operation.method.output_type, schemas, comments)}
                },
            },
            "default": {
                "description": "Refused or failed; see `reason`.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
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
        body = _object(request, schemas, comments, without=in_path)
        described["requestBody"] = {
            "required": bool(body.get("required")),
            "content": {"application/json": {"schema": body}},
        }
    else:
        parameters += [
            {"name": field.json_name, "in": "query", "schema": _field(field, schemas, comments)}
            for field in request.fields
            if field.name not in in_path
        ]
    return described


def _reference(message: Descriptor, schemas: dict[str, Any], comments: dict[str, str]) -> dict[str, Any]:
    if message.full_name in WELL_KNOWN:
        is_time = message.full_name.endswith("Timestamp")
        return (
            {"type": "string", "format": "date-time"} if is_time else {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"}
        )
    if message.name not in schemas:
        schemas[message.name] = {}
        schemas[message.name] = _object(message, schemas, comments)
    return {"$ref": f"#/components/schemas/{message.name}"}


def _object(
    message: Descriptor, schemas: dict[str, Any], comments: dict[str, str], without: frozenset[str] = frozenset()
) -> dict[str, Any]:
    fields = [field for field in message.fields if field.name not in without]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field.json_name: _field(field, schemas, comments) for field in fields},
        "additionalProperties": False,
    }
    required = [
        field.json_name
        for field in fields
        if field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    ]
    if required:
        schema["required"] = required
    if comments.get(message.full_name):
        schema["description"] = comments[message.full_name]
    return schema


def _field(field: FieldDescriptor, schemas: dict[str, Any], comments: dict[str, str]) -> dict[str, Any]:
    schema = _value(field, schemas, comments)
    if field.is_repeated:
        schema = {"type": "array", "items": schema}
    comment = comments.get(field.full_name)
    return {**schema, "description": comment} if comment else schema


def _value(field: FieldDescriptor, schemas: dict[str, Any], comments: dict[str, str]) -> dict[str, Any]:
    if field.message_type is not None:
        return _reference(field.message_type, schemas, comments)
    if field.enum_type is not None:
        return {"type": "string", "enum": list(field.enum_type.values_by_name)}
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return {"type": "string", "pattern": r"^-?\d{1,19}$"}
    if field.cpp_type in RANGES:
        return {"type": "integer", "format": "int32"}
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return {"type": "number"}
    return {"type": "string"}


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
