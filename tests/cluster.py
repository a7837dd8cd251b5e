"""Three NATS servers that elect the leaders of their streams."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nats.js import JetStreamContext

from chassis import bus
from chassis.kernel.streams import STREAMS
from deploy.local import nats
from tests.conftest import free_port
from tests.waiting import until

NODES = ("n1", "n2", "n3")


class Cluster:
    """Each stream stands on all three. Clients are told of the first and learn of the others from it."""

    def __init__(self, folder: Path, password: str) -> None:
        self._folder, self._password = folder, password
        self._ports = {name: (free_port(), free_port(), free_port()) for name in NODES}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        urls = [f"nats://bihuan:{password}@127.0.0.1:{port}" for port, _, _ in self._ports.values()]
        self.url, self.every_url = urls[0], ",".join(urls)

    async def up(self) -> None:
        """Every stream is there and led when this returns."""
        for name in NODES:
            self.start(name)
        connected = await bus.connect(self.url, "cluster")
        try:
            await until(lambda: self._declared(connected.jetstream()), seconds=60)
        finally:
            await connected.close()

    def start(self, name: str) -> None:
        port, monitor, route = self._ports[name]
        self._processes[name] = nats.start(
            self._folder / name,
            port,
            monitor,
            self._password,
            self._folder / f"{name}.log",
            name=name,
            route=route,
            routes=[others for _, _, others in self._ports.values()],
        )

    def kill(self, name: str) -> None:
        """SIGKILL, and gone when this returns."""
        self._processes[name].kill()
        self._processes[name].wait()

    def down(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(20)

    async def _declared(self, js: JetStreamContext) -> bool:
        """False while the servers have not found one another."""
        try:
            await bus.declare_streams(js, STREAMS, len(NODES))
            return all([await leader(js, stream) for stream in STREAMS])
        except Exception:
            return False


async def leader(js: JetStreamContext, stream: str) -> str:
    """The node that leads the stream; empty while it is being elected."""
    state = await bus.ask(js, f"STREAM.INFO.{stream}", {})
    return str(state["cluster"].get("leader") or "")


async def elect(js: JetStreamContext, stream: str) -> None:
    """Has the leader step down."""
    await bus.ask(js, f"STREAM.LEADER.STEPDOWN.{stream}", {})
