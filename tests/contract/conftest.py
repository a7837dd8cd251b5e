from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

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
