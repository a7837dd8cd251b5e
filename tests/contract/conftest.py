from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from chassis.rpc import Server, channel
from tests.conftest import ROOT
from tests.contract.served import KEY, Sample

SAMPLE = "bihuan/sample/v1/sample_service.proto"


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sample service, generated as `make proto` would: its modules can be imported; returns its descriptors."""
    out = tmp_path_factory.mktemp("generated")
    roots = (ROOT / "tests/contract/sample", ROOT / "proto", Path(sysconfig.get_paths()["purelib"]))
    command = [sys.executable, "-m", "grpc_tools.protoc", *(f"-I{root}" for root in roots)]
    command += [f"--python_out={out}", f"--grpc_python_out={out}", "--include_imports", "--include_source_info"]
    subprocess.run([*command, f"--descriptor_set_out={out}/sample.descriptors", SAMPLE], check=True)
    sys.path.append(str(out))
    yield out / "sample.descriptors"
    sys.path.remove(str(out))


@pytest_asyncio.fixture(loop_scope="session")
async def served(sample: Path) -> AsyncIterator[Any]:
    from bihuan.sample.v1 import sample_service_pb2, sample_service_pb2_grpc

    server = Server(KEY, "127.0.0.1", 0)
    servicer = Sample(sample_service_pb2)
    server.add(sample_service_pb2_grpc.add_SampleServiceServicer_to_server, servicer)
    await server.start()
    async with channel(f"127.0.0.1:{server.port}") as opened:
        stub = sample_service_pb2_grpc.SampleServiceStub(opened)
        yield SimpleNamespace(pb=sample_service_pb2, stub=stub, servicer=servicer, channel=opened)
    await server.stop()
