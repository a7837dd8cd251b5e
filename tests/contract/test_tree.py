"""What must never stand in the repository."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

LOCKS = sorted(ROOT.glob("requirements*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_versions_and_hashes_and_no_address(lock: object) -> None:
    text = lock.read_text()  # type: ignore[attr-defined]
    assert not re.search(r"://|--index|--find-links|--trusted-host", text)
    pinned = re.findall(r"^[a-z0-9][a-z0-9._-]*==\S+", text, re.MULTILINE)
    assert pinned
    assert text.count("--hash=sha256:") >= len(pinned)


def test_there_are_locks() -> None:
    assert {lock.name for lock in LOCKS} == {
        "requirements.lock",
        "requirements-demo.lock",
        "requirements-test.lock",
        "requirements-uv.lock",
    }
