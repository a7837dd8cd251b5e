from __future__ import annotations

import asyncio
import resource
import signal
from contextlib import suppress

import uvloop

from chassis import bus, logs
from chassis.kernel.corps import Corps
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.streams import STREAMS
from chassis.logs import log
from chassis.rpc import channel
from chassis.sealing import Sealer
from chassis.service import patiently
from chassis.web import serve
from gateway import stream
from gateway.app import create_app
from gateway.edge import Edge
from gateway.hub import Hub
from gateway.mall.archive import declare
from gateway.settings import Settings

MOST_FILES = 65_536


async def main(settings: Settings) -> None:
    _allow_many_connections()
    corps = Corps.load(settings.corps_file)
    sealer = Sealer(settings.data_keys)
    nats = await patiently("nats", lambda: bus.connect(settings.nats_url, "gateway"))
    js = nats.jetstream()
    await patiently("streams", lambda: bus.declare_streams(js, STREAMS, settings.stream_replicas))
    # The door need not wait for it: whenever it is made, it copies what EDGE still holds.
    archive = asyncio.create_task(
        patiently("archive", lambda: declare(js, settings.mall_archive_days, settings.stream_replicas))
    )
    hub = Hub(js, stream.encode)
    hub.start()
    channels = {
        "acquisition": channel(settings.acquisition_address),
        "engagement": channel(settings.engagement_address),
        "commerce": channel(settings.commerce_address),
        "identity": channel(settings.identity_address),
    }
    closing = asyncio.Event()
    app = create_app(
        settings,
        corps,
        Edge(js, sealer, Identifiers(settings.index_key, sealer), settings.stream_replicas),
        hub,
        channels,
        ready=lambda: nats.is_connected,
        draining=closing.is_set,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, closing.set)
    runner = await serve(app, settings.host, settings.port, finish_seconds=settings.call_seconds + 1)
    log.info("started", port=settings.port)

    await closing.wait()
    log.info("draining", seconds=settings.drain_seconds)
    archive.cancel()
    # Whoever routes to us needs a moment to see that we are no longer ready; a refused callback may be lost.
    await asyncio.sleep(settings.drain_seconds)
    await hub.stop()
    await runner.cleanup()
    for opened in channels.values():
        await opened.close()
    await nats.close()
    log.info("stopped")


def _allow_many_connections() -> None:
    """Every open stream is a file; many systems allow a process 1024 until it asks for more."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    with suppress(ValueError, OSError):  # fewer streams then
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), most))


if __name__ == "__main__":
    read = Settings()  # type: ignore[call-arg]  # from the environment
    logs.configure("gateway", read.log_level)
    uvloop.run(main(read))
