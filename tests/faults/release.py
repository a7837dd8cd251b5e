"""The release that landed before this one, from git: its source tree with the code of its own contract.

`release_before.txt` names its commit. When a release has landed, the next one puts that commit there.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

from deploy.local.suite import ROOT

COMMIT = Path(__file__).with_name("release_before.txt").read_text().strip()
GOOGLE = ("annotations.proto", "http.proto", "field_behavior.proto")


def check_out(folder: Path) -> Path:
    """The tree of the release before, ready to run beside this one. Raises RuntimeError without its commit."""
    archive = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, capture_output=True)
    if archive.returncode != 0:
        raise RuntimeError(f"the release before, {COMMIT}, is not in this clone: {archive.stderr.decode()}")
    tree = folder / "release-before"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    _generate(tree)
    return tree


def _generate(tree: Path) -> None:
    """What `make proto` does."""
    installed = Path(sysconfig.get_paths()["purelib"])
    generated = tree / "proto/gen"
    generated.mkdir(exist_ok=True)
    include = tree / "proto/include/google/api"
    include.mkdir(parents=True)
    for name in GOOGLE:
        shutil.copy(installed / "google/api" / name, include / name)
    protos = sorted(str(file.relative_to(tree / "proto")) for file in (tree / "proto/bihuan").rglob("*.proto"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            *("-I", "proto", "-I", str(installed)),
            *("--python_out=proto/gen", "--grpc_python_out=proto/gen"),
            *("--descriptor_set_out=proto/gen/bihuan/contract.descriptors", "--include_source_info"),
            "--include_imports",
            *protos,
        ],
        cwd=tree,
        check=True,
    )
