"""What the document says of the routes that no RPC stands behind: the live stream, the catalogue, sign-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bihuan.access.v1.access_pb2 import Role
from bihuan.staff.v1.facts_pb2 import StaffAlerted
from google.protobuf.descriptor import Descriptor

EVERY_ROLE = sorted(name.removeprefix("ROLE_") for name, number in Role.items() if number)
LABEL = {
    "type": "object",
    "required": ["value", "zh", "en"],
    "properties": {"value": {"type": "string"}, "zh": {"type": "string"}, "en": {"type": "string"}},
}
CATALOGUE = {
    "type": "object",
    "required": ["enums"],
    "properties": {
        "enums": {
            "type": "object",
            "description": "By the enum's name in this document; values in the contract's order, without UNSPECIFIED.",
            "additionalProperties": {"type": "array", "items": LABEL},
        }
    },
}
CORPS = {
    "type": "object",
    "required": ["corps"],
    "properties": {
        "corps": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["corpId", "name", "timezone"],
                "properties": {
                    "corpId": {"type": "string"},
                    "name": {"type": "string"},
                    "timezone": {"type": "string", "description": "An IANA zone: the corp's business days."},
                },
            },
        }
    },
}


def paths(answer: Callable[[Descriptor], dict[str, Any]], refused: dict[str, Any]) -> dict[str, Any]:
    """`answer` makes the schema of a message; `refused` is what every route answers when it does not serve."""

    def get(name: str, tag: str, text: str, done: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
        return {
            "operationId": name,
            "tags": [tag],
            "description": text,
            "parameters": list(parameters),
            "responses": {**done, "default": refused},
        }

    public: dict[str, Any] = {"security": [], "x-roles": []}
    return {
        "/api/v1/stream": {
            "get": {
                **get(
                    "Stream",
                    "gateway",
                    "Live events. `alert`: what the reader was told (data: StaffAlerted). `reset`: events were missed,"
                    " read the lists anew. Resumes behind `Last-Event-ID`.",
                    {
                        "200": {
                            "description": "Goes on until either side ends it.",
                            "content": {
                                "text/event-stream": {
                                    "schema": {"type": "string"},
                                    "x-events": {"alert": answer(StaffAlerted.DESCRIPTOR)},
                                }
                            },
                        }
                    },
                    _query("scope", {"type": "string", "enum": ["own", "corp"]}, "corp: for ADMIN and SERVICE."),
                    _query("lastEventId", {"type": "string", "pattern": r"^\d{1,19}$"}, "Where no header can be sent."),
                ),
                "x-roles": EVERY_ROLE,
            }
        },
        "/api/v1/catalogue": {
            "get": {
                **get("GetCatalogue", "gateway", "Every enum of this document, in words.", _json(CATALOGUE)),
                "x-roles": EVERY_ROLE,
            }
        },
        "/auth/corps": {
            "get": {
                **get("ListCorps", "sign-in", "The corps that can be signed in to.", _json(CORPS)),
                **public,
            }
        },
        "/auth/login": {
            "get": {
                **get(
                    "SignIn",
                    "sign-in",
                    "Sends the browser to WeCom: to OAuth2 inside WeCom, to its web login anywhere else.",
                    _moved("To WeCom."),
                    _query("corp_id", {"type": "string"}, "May be left out where there is one corp."),
                    _query("next", {"type": "string", "maxLength": 512}, "A path of ours to come back to."),
                ),
                **public,
            }
        },
        "/auth/callback": {
            "get": {
                **get(
                    "FinishSignIn",
                    "sign-in",
                    "Where WeCom sends the browser back to: sets the session's cookie.",
                    _moved("To `next`."),
                    _query("code", {"type": "string"}, "WeCom's."),
                    _query("state", {"type": "string"}, "As it was sent."),
                ),
                **public,
            }
        },
        "/auth/logout": {
            "post": {
                **get("SignOut", "sign-in", "Ends the session everywhere.", {"204": {"description": "Done."}}),
                **public,
            }
        },
    }


def _query(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"200": {"description": "Done.", "content": {"application/json": {"schema": schema}}}}


def _moved(text: str) -> dict[str, Any]:
    return {"302": {"description": text, "headers": {"Location": {"schema": {"type": "string"}}}}}
