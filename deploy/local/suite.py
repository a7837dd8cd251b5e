"""Starts, watches, kills and stops the processes of a local suite."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local import nats, postgres
from deploy.local.home import SERVICES, Home, Ports
from deploy.local.process import tied

ROOT = Path(__file__).resolve().parents[2]
# In order of start; stopped in reverse.
PROCESSES = ("postgres", "nats", "sandbox", *SERVICES, "gateway")
READY_SECONDS = 60.0
STOP_SECONDS = 40.0


class Suite:
    """`report` is told what is being done, for progress. `members`: how many employees the sandbox has."""

    def __init__(
        self, home: Home, ports: Ports, *, members: int = 200, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self.home = home
        self.ports = ports
        self.gateway = f"http://127.0.0.1:{ports.gateway}"
        self.sandbox = f"http://127.0.0.1:{ports.sandbox}"
        self._members = members
        self.report = report
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def up(self, *, empty: bool) -> None:
        """Everything ready, or RuntimeError that names the log to read."""
        self.home.prepare(self.ports, empty=empty)
        for name in ("postgres", "nats", "sandbox"):
            self.start(name, wait=True)
        for name in (*SERVICES, "gateway"):
            self.start(name, wait=False)
        for name in (*SERVICES, "gateway"):
            self.wait_ready(name)

    def start(self, name: str, *, wait: bool = True) -> None:
        self.report(name)
        log = self.home.logs / f"{name}.log"
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
        arguments = [sys.executable, "-m", f"deploy.{name}" if name == "sandbox" else name]
        if name == "sandbox":
            arguments += ["--port", str(self.ports.sandbox), "--gateway", self.gateway]
            arguments += ["--corps", str(self.home.corps_file), "--members", str(self._members)]
        self._processes[name] = subprocess.Popen(
            [*tied("TERM"), *arguments],
            cwd=ROOT,
            env=self.home.environment(self.ports),
            stdin=subprocess.DEVNULL,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if wait:
            self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        port = {"gateway": self.ports.gateway, "sandbox": self.ports.sandbox}.get(name)
        address = f"http://127.0.0.1:{port or self.ports.web(name)}/{'livez' if name == 'sandbox' else 'readyz'}"
        give_up_at = time.monotonic() + READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(address, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                process = self._processes[name]
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}; see {self._log(name)}") from None
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

    def stop(self, name: str) -> None:
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
        """The gateway first, then the services together, the servers last."""
        self.stop("gateway")
        for name in SERVICES:
            process = self._processes.get(name)
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for name in reversed(PROCESSES):
            self.stop(name)

    def _log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def _external_databases(self) -> bool:
        return all(os.environ.get(f"{service.upper()}_DATABASE_URL") for service in SERVICES)
