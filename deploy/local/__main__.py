"""python -m deploy.local up|run|down [--home DIR] [--port-base N] [--corps FILE]"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

import psutil

from deploy.local.home import Home, Ports
from deploy.local.suite import ROOT, Suite


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
    home, ports = Home(arguments.home, arguments.corps), Ports(arguments.port_base)
    if arguments.action == "down":
        return down(home)
    if arguments.action == "run":
        from deploy.local.run import run

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
        (home.path / "suite.pid").write_text(str(os.getpid()))
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
        (home.path / "suite.pid").unlink(missing_ok=True)
    return 0


def down(home: Home) -> int:
    """Asks a suite that was started elsewhere to drain, and waits for it."""
    try:
        process = psutil.Process(int((home.path / "suite.pid").read_text()))
        process.terminate()
        process.wait(60)
    except (OSError, ValueError, psutil.NoSuchProcess):
        print("nothing runs in", home.path, file=sys.stderr)
        return 1
    except psutil.TimeoutExpired:
        print("the suite did not end within a minute", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
