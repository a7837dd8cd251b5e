"""The document says what the gateway does: what is always there, what may be absent, and every enum in words."""

from __future__ import annotations

from typing import Any

import pytest
from bihuan.engagement.v1 import alert_service_pb2 as alerts
from bihuan.engagement.v1 import welcome_service_pb2 as welcomes
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from gateway import catalogue
from gateway.rest import openapi
from gateway.rest.contract import operations


@pytest.fixture(scope="module", name="schemas")
def read_schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = openapi.document("0")["components"]["schemas"]
    return schemas


def printed(message: Message) -> set[str]:
    return set(MessageToDict(message, always_print_fields_with_no_presence=True))


def test_what_an_empty_answer_prints_is_required(schemas: dict[str, Any]) -> None:
    seen = 0
    for operation in operations():
        schema = schemas[operation.response.DESCRIPTOR.name]
        always = printed(operation.response())
        assert always <= set(schema.get("required", ())), operation.name
        seen += len(always)
    assert seen > 50


def test_what_may_be_absent_is_not_required(schemas: dict[str, Any]) -> None:
    figures = schemas["GetOrderFiguresResponse"]
    assert "repurchaseRate" not in figures["required"]
    alert = schemas["Alert"]
    assert {"alertId", "at", "sentence"} <= set(alert["required"])
    assert not {"orderPaid", "deliveredAt"} & set(alert["required"])
    assert "deliveredAt" not in printed(alerts.Alert())


def test_a_message_that_is_sent_and_answered_has_a_schema_for_each(schemas: dict[str, Any]) -> None:
    assert set(schemas["WelcomeLink"]["required"]) == printed(welcomes.WelcomeLink())
    assert schemas["WelcomeLinkInput"]["required"] == ["title", "url"]


def test_long_numbers_are_text_and_enums_their_names(schemas: dict[str, Any]) -> None:
    assert schemas["Money"]["properties"]["amount"]["type"] == "string"
    assert schemas["Alert"]["properties"]["kind"]["$ref"].endswith("/AlertKind")
    assert schemas["AlertKind"]["enum"][1] == "ALERT_KIND_ORDER_PAID"


def test_two_things_of_one_name_are_refused() -> None:
    named = openapi.Schemas({})
    named.answer(alerts.Alert.DESCRIPTOR)
    clash = type("Clash", (), {"name": "Alert", "full_name": "other.Alert", "fields": []})
    with pytest.raises(ValueError, match=r"Alert would mean .* rename"):
        named.answer(clash)  # type: ignore[arg-type]


def test_the_stream_and_sign_in_stand_in_the_document(schemas: dict[str, Any]) -> None:
    paths = openapi.document("0")["paths"]
    stream = paths["/api/v1/stream"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert stream["x-events"]["alert"]["$ref"].endswith("/StaffAlerted")
    assert "StaffAlerted" in schemas
    assert {"/auth/login", "/auth/callback", "/auth/logout", "/auth/corps", "/api/v1/catalogue"} <= set(paths)


def test_every_enum_of_the_document_has_words_in_both_languages(schemas: dict[str, Any]) -> None:
    enums = {name: set(schema["enum"]) for name, schema in schemas.items() if "enum" in schema}
    told = catalogue.catalogue()["enums"]
    assert set(told) == set(enums)
    for name, labels in told.items():
        unspecified = enums[name] - {one["value"] for one in labels}
        assert all(value.endswith("_UNSPECIFIED") for value in unspecified), name
        for one in labels:
            assert one["zh"].strip() and one["en"].strip(), one
            assert not one["zh"].isascii(), one


def test_no_words_are_left_over() -> None:
    values = {name: set(catalogue.values(enum).values()) for name, enum in catalogue.enums().items()}
    assert {name: set(labels) for name, labels in catalogue.labels().items()} == values
