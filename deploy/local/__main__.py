"""python -m deploy.local up|run|down [--home DIR] [--port-base N] [--corps FILE] [--replicas N]"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil

from deploy.local import lock
from deploy.local.home import ROOT, Home, Ports
from deploy.local.suite import Suite

STOP_SECONDS = 60.0
ASK_SECONDS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local")
    parser.add_argument("action", choices=["up", "run", "down"])
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("BIHUAN_HOME", ROOT / ".local")))
    parser.add_argument("--port-base", type=int, default=8080)
    parser.add_argument("--corps", type=Path, default=None)
    parser.add_argument("--restart", action="store_true", help="up: start again what dies")
    parser.add_argument("--replicas", type=int, default=1, help="how many of each service and of the gateway")
    parser.add_argument("--once", action="store_true", help="run: end after the summary")
    parser.add_argument("--keep", action="store_true", help="run: keep the data of the run before")
    parser.add_argument("--buyers", type=int, default=0, help="run: only the first N buyers of the log")
    parser.add_argument("--seed", type=int, default=1, help="run: what is duplicated and displaced")
    arguments = parser.parse_args()
    try:
        home, ports = Home(arguments.home, arguments.corps), Ports(arguments.port_base)
    except RuntimeError as error:  # a link that leads to itself
        parser.error(f"--home {arguments.home}: {error}")
    if arguments.action == "down":
        return down(home)
    if arguments.action == "run":
        from deploy.local.run import run

        # `down` ends a run as Ctrl-C does: it drains.
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        suite = Suite(home, ports, replicas=arguments.replicas)
        return run(suite, once=arguments.once, keep=arguments.keep, buyers=arguments.buyers, seed=arguments.seed)
    return up(Suite(home, ports, replicas=arguments.replicas), restart=arguments.restart)


def up(suite: Suite, *, restart: bool) -> int:
    """Prints one JSON line when all is ready, stays until SIGTERM, then drains."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    home, ports = suite.home, suite.ports
    try:
        suite.up(empty=False)
        print(
            json.dumps(
                {
                    "gateway": suite.gateway,
                    "sandbox": suite.sandbox,
                    "nats": home.nats_url(ports),
                    "postgres": home.postgres_url(ports, "postgres"),
                    "processes": suite.pids(),
                }
            ),
            flush=True,
        )
        while not ended.wait(0.5):
            for name in suite.dead() if restart else ():
                suite.start(name)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        suite.down()
    return 0


def down(home: Home) -> int:
    """Asks whoever runs in this home, by `up` or by `run`, to drain, and waits for it."""
    running = lock.holder(home.path)
    process = running.process() if running else None
    if process is None:
        print("nothing runs in", home.path, file=sys.stderr)
        return 1
    give_up_at, ask_at = time.monotonic() + STOP_SECONDS, 0.0
    while lock.holder(home.path) == running:
        if time.monotonic() > ask_at:
            # Again: Python drops an interrupt that comes while it ends an object. Who drains hears it no more.
            ask_at = time.monotonic() + ASK_SECONDS
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        if time.monotonic() > give_up_at:
            print(f"the suite (process {process.pid}) did not end within a minute", file=sys.stderr)
            return 1
        time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
