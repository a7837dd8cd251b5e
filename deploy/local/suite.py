"""Starts, watches, kills and stops the processes of a local suite."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from deploy.local import nats, postgres
from deploy.local.home import ROOT, SERVICES, Home, Ports
from deploy.local.process import tied

SERVERS = ("postgres", "nats", "sandbox")
# In order of start; stopped in reverse.
PROCESSES = (*SERVERS, *SERVICES, "gateway")
READY_SECONDS = 60.0
STOP_SECONDS = 40.0


class Suite:
    """One of each server, and `replicas` of each service and of the gateway; the second identity is "identity.2".

    `report` is told what is being done, for progress. `members`: how many employees the sandbox has. `environments`:
    what a process of that name is told besides; `trees`: the source tree it runs from, this one when there is none.
    """

    def __init__(
        self,
        home: Home,
        ports: Ports,
        *,
        members: int = 200,
        replicas: int = 1,
        environments: Mapping[str, Mapping[str, str]] | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.home = home
        self.ports = ports
        self.gateways = [f"http://127.0.0.1:{ports.replica(n).gateway}" for n in range(replicas)]
        self.gateway = self.gateways[0]
        self.sandbox = f"http://127.0.0.1:{ports.sandbox}"
        # WeCom's client, as the sandbox plays it.
        self.chat = f"http://127.0.0.1:{ports.chat}"
        self._members = members
        self._replicas = replicas
        self.report = report
        self._environments = environments or {}
        self.trees: dict[str, Path] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._paused: dict[str, list[psutil.Process]] = {}

    def names(self, process: str) -> list[str]:
        """The names of a process's replicas."""
        if process in SERVERS:
            return [process]
        return [process if n == 0 else f"{process}.{n + 1}" for n in range(self._replicas)]

    def up(self, *, empty: bool) -> None:
        """Everything ready, or RuntimeError that names the log to read."""
        self.home.prepare(self.ports, empty=empty)
        for name in SERVERS:
            self.start(name, wait=True)
        ours = [name for process in (*SERVICES, "gateway") for name in self.names(process)]
        for name in ours:
            self.start(name, wait=False)
        for name in ours:
            self.wait_ready(name)

    def start(self, name: str, *, wait: bool = True) -> None:
        self.report(name)
        log = self._log(name)
        if name == "postgres":
            if self._external_databases():
                return
            data = self.home.path / "postgres"
            password = self.home.keys["postgres"]
            postgres.create(data, password)
            self._processes[name] = postgres.start(data, self.ports.postgres, log)
            prepare = postgres.prepare(self.home.postgres_url(self.ports, "postgres"), password)
            with ThreadPoolExecutor(1) as aside:  # the caller may be inside an event loop
                aside.submit(asyncio.run, prepare).result()
            return
        if name == "nats":
            if not os.environ.get("NATS_URL"):
                self._processes[name] = nats.start(
                    self.home.path / "nats", self.ports.nats, self.ports.nats_monitor, self.home.keys["nats"], log
                )
            return
        process, replica = _split(name)
        arguments = [sys.executable, "-m", f"deploy.{process}" if process == "sandbox" else process]
        if process == "sandbox":
            arguments += [
                "--chat-port",
                str(self.ports.chat),
                "--port",
                str(self.ports.sandbox),
                "--gateway",
                *self.gateways,
            ]
            arguments += ["--corps", str(self.home.corps_file), "--members", str(self._members)]
            arguments += ["--memory", str(self.home.path / "sandbox.json")]
        self._processes[name] = subprocess.Popen(
            [*tied("TERM"), *arguments],
            cwd=self.trees.get(name, ROOT),
            env={
                **self.home.environment(self.ports, replica=replica, replicas=self._replicas),
                **self._environments.get(name, {}),
                **({"PYTHONPATH": _import_path(self.trees[name])} if name in self.trees else {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if wait:
            self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        process, replica = _split(name)
        own = self.ports.replica(replica)
        port = {"gateway": own.gateway, "sandbox": self.ports.sandbox}.get(process) or own.web(process)
        address = f"http://127.0.0.1:{port}/{'livez' if process == 'sandbox' else 'readyz'}"
        give_up_at = time.monotonic() + READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(address, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                started = self._processes[name]
                if started.poll() is not None:
                    raise RuntimeError(f"{name} ended with {started.returncode}; see {self._log(name)}") from None
                if time.monotonic() > give_up_at:
                    raise RuntimeError(f"{name} was not ready in time; see {self._log(name)}") from None
                time.sleep(0.05)

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items() if process.poll() is None}

    def dead(self) -> list[str]:
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def kill(self, name: str) -> None:
        """SIGKILL, and gone when this returns."""
        process = self._processes[name]
        process.kill()
        process.wait()

    def pause(self, name: str) -> None:
        """SIGSTOP, its children included: it answers nobody and lets go of nothing."""
        process = psutil.Process(self._processes[name].pid)
        family = [process, *process.children(recursive=True)]
        self._paused[name] = family
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.suspend()

    def resume(self, name: str) -> None:
        for one in self._paused.pop(name, ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()

    def stop(self, name: str) -> None:
        self.resume(name)
        process = self._processes.get(name)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def down(self) -> None:
        """The gateways first, then the services together, the servers last."""
        for name in list(self._paused):
            self.resume(name)
        for process in ("gateway", *SERVICES):
            for name in self.names(process):
                running = self._processes.get(name)
                if running is not None and running.poll() is None:
                    running.send_signal(signal.SIGTERM)
            if process == "gateway":
                for name in self.names(process):
                    self.stop(name)
        for process in reversed(PROCESSES):
            for name in self.names(process):
                self.stop(name)
        self.home.release()

    def _log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def _external_databases(self) -> bool:
        return all(os.environ.get(f"{service.upper()}_DATABASE_URL") for service in SERVICES)


def _import_path(tree: Path) -> str:
    """Before whatever is installed."""
    return os.pathsep.join((str(tree), str(tree / "proto/gen")))


def _split(name: str) -> tuple[str, int]:
    """A process's name → what it is, and which replica counted from 0."""
    process, _, number = name.partition(".")
    return process, int(number or 1) - 1
