"""What one home protects from a second command, on real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local import lock, postgres
from deploy.local.home import ROOT, Home, Ports
from deploy.local.lock import LOCK
from tests.conftest import free_port_base


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def until(holds: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def living_postgres(data: Path) -> psutil.Process | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return psutil.Process(int(lines[0])) if lines[7].strip() == "ready" else None
    except (OSError, IndexError, ValueError, psutil.Error):
        return None


@pytest.fixture
def ports() -> Ports:
    return Ports(free_port_base())


@pytest.fixture
def running(tmp_path: Path, ports: Ports) -> Iterator[subprocess.Popen[bytes]]:
    """`make run` on its way, its PostgreSQL ready."""
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "run", "--home", home, "--port-base", str(ports.base), "--buyers", "1"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: living_postgres(home / "postgres"))
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_second_suite_refuses_and_the_first_lives(
    tmp_path: Path, ports: Ports, running: subprocess.Popen[bytes]
) -> None:
    database = living_postgres(tmp_path / "home" / "postgres")
    for action in ("up", "run"):
        refused = command(action, "--home", tmp_path / "home", "--port-base", ports.base)
        assert refused.returncode == 1
        said = " ".join((refused.stdout + refused.stderr).split())
        assert "already runs" in said
        assert f"process {running.pid}" in said
        assert "Traceback" not in said
    assert database is not None
    assert database.is_running()
    assert running.poll() is None


def test_down_drains_a_run(tmp_path: Path, running: subprocess.Popen[bytes]) -> None:
    database = living_postgres(tmp_path / "home" / "postgres")
    assert command("down", "--home", tmp_path / "home").returncode == 0
    assert running.wait(10) == 1, "it ended by itself: the summary was never made"
    assert database is not None
    assert not database.is_running()
    assert not (tmp_path / "home" / "postgres" / "postmaster.pid").exists(), "PostgreSQL was shut down, not killed"


def test_down_believes_no_stale_pid(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare(Ports(20000), empty=True)
    home.release()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        try:
            started = psutil.Process(innocent.pid).create_time()
            (home.path / "suite.pid").write_text(str(innocent.pid))
            (home.path / LOCK).write_text(f'{{"pid": {innocent.pid}, "started": {started}}}')
            done = command("down", "--home", home.path)
            assert (done.returncode, done.stderr) == (1, f"nothing runs in {home.path}\n")
            assert innocent.poll() is None
        finally:
            innocent.kill()
    assert command("down", "--home", tmp_path / "nowhere").returncode == 1
    assert not (tmp_path / "nowhere").exists()


def test_the_lock_of_a_killed_suite_is_taken_over(
    tmp_path: Path, ports: Ports, running: subprocess.Popen[bytes]
) -> None:
    assert lock.holder(tmp_path / "home") is not None
    running.kill()
    running.wait()
    assert lock.holder(tmp_path / "home") is None
    home = Home(tmp_path / "home")
    home.prepare(ports, empty=False)
    home.release()


def test_a_server_whose_suite_has_no_lock_is_not_stopped(tmp_path: Path, ports: Ports) -> None:
    """The release before takes no lock: its suite is known by its command line."""
    data = tmp_path / "home" / "postgres"
    data.parent.mkdir()
    postgres.create(data, "secret")
    start = (
        "import sys, time; from pathlib import Path; from deploy.local import postgres;"
        " postgres.start(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[2] + '.log')); time.sleep(60)"
    )
    suite = subprocess.Popen(
        [sys.executable, "-c", start, "deploy.local", data, str(ports.postgres)], cwd=ROOT, env={**os.environ}
    )
    try:
        until(lambda: living_postgres(data))
        database = living_postgres(data)
        with pytest.raises(RuntimeError, match=f"stop process {suite.pid} first"):
            postgres.start(data, ports.postgres, tmp_path / "second.log")
        assert database is not None
        assert database.is_running()
    finally:
        suite.kill()
        suite.wait()
        until(lambda: not living_postgres(data))


@pytest.mark.parametrize("action", ["up", "run"])
def test_a_folder_of_another_is_refused_in_plain_words(tmp_path: Path, ports: Ports, action: str) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "thesis.tex").write_text("x")
    done = command(action, "--home", tmp_path / "documents", "--port-base", ports.base)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "is not empty and has no .bihuan-home of ours in it" in said
    assert "Traceback" not in said
    assert [entry.name for entry in (tmp_path / "documents").iterdir()] == ["thesis.tex"]
