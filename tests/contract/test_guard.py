"""Every RPC is guarded alike, unary and streaming: key, caller, errors, scope, idempotency, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from prometheus_client import REGISTRY

from chassis.kernel.caller import Caller
from chassis.rpc import Server, call_metadata
from tests.contract.served import KEY, ROWS, Sample

ADMIN = Caller("ww1", "boss", "ADMIN")
GUIDE = Caller("ww1", "guide", "FRONTLINE")


def reason(error: grpc.aio.AioRpcError) -> str:
    known = rpc_status.from_call(error)  # type: ignore[arg-type]
    info = ErrorInfo()
    assert known is not None
    assert known.details[0].Unpack(info)
    return info.reason


def metadata(who: Caller, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return call_metadata(KEY, [*who.metadata(), *more])


async def listed(served: Any, who: Caller, how: str) -> list[str]:
    answer = await served.stub.ListRows(served.pb.ListRowsRequest(how=how), metadata=metadata(who))
    return list(answer.rows)


async def streamed(served: Any, who: Caller, how: str) -> list[str]:
    call = served.stub.StreamRows(served.pb.StreamRowsRequest(how=how), metadata=metadata(who))
    return [one.row async for one in call]


@pytest.mark.parametrize("ask", [listed, streamed])
async def test_a_careless_rpc_shows_a_confined_caller_nothing(served: Any, ask: Any) -> None:
    assert await ask(served, ADMIN, "careless") == ROWS
    for how in ("careful", "careful elsewhere"):
        assert await ask(served, ADMIN, how) == ROWS
        assert await ask(served, GUIDE, how) == ROWS[:1]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(served, GUIDE, "careless")
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert reason(refused.value) == "SCOPE_NOT_APPLIED"
    assert "customer" not in str(refused.value)


async def test_a_refused_stream_sends_no_row_before(served: Any) -> None:
    call = served.stub.StreamRows(served.pb.StreamRowsRequest(how="careless"), metadata=metadata(GUIDE))
    rows = []
    with pytest.raises(grpc.aio.AioRpcError):
        async for one in call:
            rows.append(one.row)
    assert rows == []


@pytest.mark.parametrize("ask", [listed, streamed])
@pytest.mark.parametrize(
    ("how", "code", "expected"),
    [
        ("absent", grpc.StatusCode.NOT_FOUND, "ROW_NOT_FOUND"),
        ("slow", grpc.StatusCode.DEADLINE_EXCEEDED, "WORK_TIMED_OUT"),
        ("outage", grpc.StatusCode.UNAVAILABLE, "STORE_AWAY"),
    ],
)
async def test_errors_are_mapped(served: Any, ask: Any, how: str, code: grpc.StatusCode, expected: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await ask(served, ADMIN, how)
    assert (failed.value.code(), reason(failed.value)) == (code, expected)


@pytest.mark.parametrize("ask", [listed, streamed])
async def test_a_bug_tells_nothing(served: Any, ask: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await ask(served, ADMIN, "bug")
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(failed.value.details())


async def test_a_stream_that_fails_late_keeps_what_it_sent(served: Any) -> None:
    call = served.stub.StreamRows(served.pb.StreamRowsRequest(how="late"), metadata=metadata(GUIDE))
    rows = []
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        async for one in call:
            rows.append(one.row)
    assert rows == ["guide"]
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


async def test_none_of_the_four_kinds_is_served_without_the_key(served: Any) -> None:
    pb, stub = served.pb, served.stub

    async def sent(message: Any) -> AsyncIterator[Any]:
        yield message

    wrong = [("bihuan-service-key", "x" * 16), *ADMIN.metadata()]

    async def all_kinds(given: list[tuple[str, str]]) -> list[Any]:
        return [
            await stub.ListRows(pb.ListRowsRequest(how="careful"), metadata=given),
            [one async for one in stub.StreamRows(pb.StreamRowsRequest(how="careful"), metadata=given)],
            await stub.CountRows(sent(pb.CountRowsRequest()), metadata=given),
            [one async for one in stub.EchoRows(sent(pb.EchoRowsRequest(row="x")), metadata=given)],
        ]

    assert len(await all_kinds(metadata(ADMIN))) == 4
    for given in (wrong, ADMIN.metadata()):
        for call in (
            lambda given=given: stub.ListRows(pb.ListRowsRequest(), metadata=given),
            lambda given=given: stub.StreamRows(pb.StreamRowsRequest(), metadata=given).read(),
            lambda given=given: stub.CountRows(sent(pb.CountRowsRequest()), metadata=given),
            lambda given=given: stub.EchoRows(sent(pb.EchoRowsRequest()), metadata=given).read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call()
            assert reason(refused.value) == "SERVICE_KEY_WRONG"


async def test_a_create_that_ignores_its_key_is_refused(served: Any) -> None:
    request = served.pb.CreateRowRequest(row="x")
    assert (await served.stub.CreateRow(request, metadata=metadata(ADMIN))).row == "x"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.CreateRow(request, metadata=metadata(ADMIN, ("idempotency-key", "once")))
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert reason(refused.value) == "IDEMPOTENCY_NOT_APPLIED"


async def test_streams_are_counted_and_logged(served: Any, capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"method": "/bihuan.sample.v1.SampleService/StreamRows", "code": "OK"}
    before = REGISTRY.get_sample_value("bihuan_rpc_seconds_count", labels) or 0
    await streamed(served, ADMIN, "careful")
    assert REGISTRY.get_sample_value("bihuan_rpc_seconds_count", labels) == before + 1
    assert any("SampleService/StreamRows" in line and "OK" in line for line in capsys.readouterr().out.splitlines())


async def test_what_cannot_be_guarded_is_refused_at_registration(sample: Path) -> None:
    from bihuan.sample.v1 import sample_service_pb2, sample_service_pb2_grpc

    server = Server(KEY, "127.0.0.1", 0)
    add = sample_service_pb2_grpc.add_SampleServiceServicer_to_server

    class Blocking(Sample):
        def ListRows(self, request: Any, context: Any) -> Any:  # type: ignore[override]
            return None

    class Writing(Sample):
        async def StreamRows(self, request: Any, context: Any) -> Any:  # type: ignore[override]
            await context.write(None)

    for careless, named in ((Blocking, "ListRows"), (Writing, "StreamRows")):
        with pytest.raises(ValueError, match=named):
            server.add(add, careless(sample_service_pb2))

    class Loose:
        async def ListLoose(self, request: Any, context: Any) -> Any:
            return sample_service_pb2.ListLooseResponse()

    with pytest.raises(ValueError, match="declares no scope"):
        server.add(sample_service_pb2_grpc.add_LooseServiceServicer_to_server, Loose())

    def by_hand(servicer: Any, asked: Any) -> None:
        handlers = {"ListRows": grpc.unary_unary_rpc_method_handler(servicer.ListRows)}
        asked.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bihuan.sample.v1.Unknown", handlers),))

    with pytest.raises(ValueError, match="registration"):
        server.add(by_hand, Sample(sample_service_pb2))


def test_every_rpc_of_the_contract_says_what_a_confined_caller_is_shown() -> None:
    from chassis.kernel.access import access_of
    from gateway.rest.contract import operations

    declared = {operation.name: access_of(operation.method) for operation in operations()}
    shown = {name for name, access in declared.items() if access.confines}
    assert {"ListCustomers", "GetCustomer", "ListOrders", "GetOrder"} <= shown
