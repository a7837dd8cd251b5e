"""The page that shows how a noun is added is true: its files, written into a copy of the tree, work as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "adding-a-noun.md"
MOST_FILES = 6


def shown() -> dict[str, tuple[str, str]]:
    """Path → (language, text)."""
    parts = re.findall(r"^### \d\. (\S+)\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    blocks = {path: re.search(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for path, text in parts}
    return {path: (block[1], block[2]) for path, block in blocks.items() if block is not None}


def apply(diff: str, file: Path) -> None:
    """Added lines go below the line that stands before them in the diff."""
    lines, below = file.read_text().splitlines(), 0
    for line in diff.splitlines():
        if line.startswith("+"):
            lines.insert(below, line[1:])
            below += 1
        elif line.strip() != "…":
            below = lines.index(line[1:]) + 1
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the noun in it."""
    copy = tmp_path_factory.mktemp("noun") / "tree"
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    shutil.copytree(ROOT / "proto/gen", copy / "proto/gen", dirs_exist_ok=True)
    for path, (language, text) in shown().items():
        number = len(list((copy / path).parent.glob("*.sql"))) + 1
        file = copy / path.replace("NNNN", f"{number:04}")
        if language == "diff":
            apply(text, file)
        else:
            assert not file.exists(), path
            file.write_text(text)
    site = sysconfig.get_paths()["purelib"]
    protos = [str(path.relative_to(copy / "proto")) for path in (copy / "proto/bihuan").rglob("*.proto")]
    out = ("--python_out=proto/gen", "--grpc_python_out=proto/gen")
    described = ("--descriptor_set_out=proto/gen/bihuan/contract.descriptors", "--include_source_info")
    run(copy, "-m", "grpc_tools.protoc", "-I", "proto", "-I", site, *out, *described, "--include_imports", *protos)
    return copy


def run(tree: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'proto/gen'}"}
    done = subprocess.run([sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_takes_six_files() -> None:
    assert 0 < len(shown()) <= MOST_FILES


def test_its_page_of_tests_passes(tree: Path) -> None:
    (page,) = (path for path in shown() if path.startswith("tests/"))
    run(tree, "-m", "pytest", page)


def test_no_list_is_told_of_it(tree: Path) -> None:
    """The catalogue finds the fact and the durable, the gateway the RPCs."""
    found = run(
        tree,
        "-c",
        "from gateway.rest.contract import operations; from tests.contract.test_facts import durables, facts, type_of\n"
        "print(*map(type_of, facts()), *(one.name for one in durables()), *(one.name for one in operations()))",
    ).split()
    assert "bihuan.engagement.v1.ReminderPlanned" in found
    assert "engagement-keep-on-reminder-planned" in found
    assert {"CreateReminder", "ListReminders"} <= set(found)


def test_it_lints(tree: Path) -> None:
    mine = [path for path in shown() if path.endswith(".py") and "__main__" not in path]
    run(tree, "-m", "ruff", "check", *mine)
    run(tree, "-m", "ruff", "format", "--check", *mine)
    run(tree, "-m", "ruff", "check", "--select", "F", "engagement/__main__.py")
