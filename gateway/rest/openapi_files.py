"""The routes whose bodies are no JSON: files in and out (gateway.files), a live code's picture (gateway.qr_codes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bihuan.acquisition.v1 import live_code_service_pb2 as live_code_pb
from bihuan.operations.v1 import file_service_pb2 as pb
from google.protobuf.descriptor import Descriptor

from chassis.kernel.access import access_of

FILES = "/api/v1/services/{service}/files"
PICTURES = ("image/png", "image/jpeg", "image/gif")
QR_CODE = "/api/v1/live-codes/{liveCodeId}/qr-code"
SERVICE = {
    "name": "service",
    "in": "path",
    "required": True,
    "description": "acquisition | engagement | commerce | identity",
    "schema": {"type": "string"},
}
FAILED = {
    "description": "Refused or failed; see `reason`.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def paths(reference: Callable[[Descriptor], dict[str, Any]]) -> dict[str, Any]:
    """`reference` makes a schema of a message and points to it."""
    methods = pb.DESCRIPTOR.services_by_name["FileService"].methods_by_name

    def described(name: str, text: str, parameters: list[dict[str, Any]], done: dict[str, Any]) -> dict[str, Any]:
        return {
            "operationId": name,
            "tags": ["operations"],
            "description": text,
            "x-roles": sorted(access_of(methods[name]).roles),
            "parameters": [SERVICE, *parameters],
            "responses": {"200": {"description": "Done.", **done}, "default": FAILED},
        }

    def query(name: str, text: str) -> dict[str, Any]:
        schema = {"type": "string", "minLength": 1, "maxLength": 200}
        return {"name": name, "in": "query", "required": True, "description": text, "schema": schema}

    file = reference(pb.File.DESCRIPTOR)
    answer = {"type": "object", "required": ["file"], "properties": {"file": file}, "additionalProperties": False}
    file_id = {"name": "fileId", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    upload = described(
        "UploadFile",
        "The body is the file. Its type is told from its first bytes; its size is bounded by its purpose.",
        [query("purpose", "What it is for."), query("name", "The file's name, as people see it.")],
        {"content": {"application/json": {"schema": answer}}},
    )
    upload["requestBody"] = {"required": True, "content": BYTES}
    download = described(
        "DownloadFile",
        "The content, as an attachment. For whoever made the file, an ADMIN, and those whom its purpose names.",
        [file_id],
        {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    )
    download["responses"]["304"] = {"description": "As `If-None-Match` says."}
    return {FILES: {"post": upload}, FILES + "/{fileId}": {"get": download}, QR_CODE: {"get": _qr_code()}}


def _qr_code() -> dict[str, Any]:
    methods = live_code_pb.DESCRIPTOR.services_by_name["LiveCodeService"].methods_by_name
    picture = {"schema": {"type": "string", "format": "binary"}}
    return {
        "operationId": "GetLiveCodeQrCode",
        "tags": ["acquisition"],
        "description": "The picture to print, as WeCom made it.",
        "x-roles": sorted(access_of(methods["GetLiveCode"]).roles),
        "parameters": [{"name": "liveCodeId", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {
            "200": {
                "description": "Done.",
                "content": dict.fromkeys(("image/png", "image/jpeg", "image/gif"), picture),
            },
            "304": {"description": "As `If-None-Match` says."},
            "default": FAILED,
        },
    }
