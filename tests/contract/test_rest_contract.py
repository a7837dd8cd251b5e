"""What REST offers is what the contract declares: a new service appears by itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from chassis.kernel.caller import Caller
from gateway import app_keys
from gateway.request_log import one_line_per_request
from gateway.rest import openapi, routes
from gateway.rest.contract import contract, operations
from tests.contract.served import KEY, ROWS


def test_all_services_of_the_contract_are_found() -> None:
    services = {operation.service for operation in operations()}
    declared = {
        f"{file.package}.{service.name}"
        for file in contract().file
        if file.package.startswith("bihuan.")
        for service in file.service
        if any(method.options.HasExtension(annotations_pb2.http) for method in service.method)
    }
    assert services == declared
    assert len(services) >= 9


def test_a_new_service_appears_by_itself(sample: Path) -> None:
    files = FileDescriptorSet.FromString(sample.read_bytes())
    found = {operation.name: operation for operation in operations(files)}
    assert set(found) == {"ListRows", "CreateRow"}
    assert found["ListRows"].path == "/api/v1/sample-rows"
    assert found["ListRows"].roles == {"ADMIN", "FRONTLINE"}
    document = openapi.document("0", files)
    assert document["paths"]["/api/v1/sample-rows"]["get"]["description"] == "Rows of customers."


def test_a_service_without_a_channel_is_refused_at_start(sample: Path) -> None:
    files = FileDescriptorSet.FromString(sample.read_bytes())
    with pytest.raises(ValueError, match="sample"):
        routes.add_routes(web.Application(), {}, files)


async def test_it_is_served_and_what_takes_too_long_is_tried_once(sample: Path, served: Any) -> None:
    class Door:
        async def caller(self, request: web.Request) -> Caller:
            return Caller("ww1", "boss", "ADMIN")

    app = web.Application(middlewares=[one_line_per_request])
    app[app_keys.DOORKEEPER] = Door()  # type: ignore[assignment]
    app[app_keys.SETTINGS] = SimpleNamespace(service_key=KEY, call_seconds=10.0)  # type: ignore[assignment]
    routes.add_routes(app, {"sample": served.channel}, FileDescriptorSet.FromString(sample.read_bytes()))
    async with TestClient(TestServer(app)) as client:

        async def get(how: str) -> tuple[int, dict[str, Any], int]:
            before = served.servicer.calls
            async with client.get("/api/v1/sample-rows", params={"how": how}) as answer:
                return answer.status, await answer.json(), served.servicer.calls - before

        status, body, calls = await get("careful")
        assert (status, body, calls) == (200, {"rows": ROWS}, 1)
        status, body, calls = await get("slow")
        assert (status, body["reason"], calls) == (504, "WORK_TIMED_OUT", 1)
        status, body, calls = await get("outage")
        assert (status, body["reason"], calls) == (503, "STORE_AWAY", 4)
