"""The ceiling of webhook → stream: publish and ack, one commit, publish, server-sent event; nothing is understood."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets

import asyncpg
import nats
import uvloop
from aiohttp import web


async def create_app(nats_url: str, postgres_url: str) -> web.Application:
    bus = await nats.connect(nats_url)
    js = bus.jetstream()
    await js.add_stream(name="CHAIN", subjects=["chain.>"])
    database = await asyncpg.connect(postgres_url)
    await database.execute("create table if not exists bare_chain (id text primary key, payload bytea)")
    readers: set[asyncio.Queue[bytes]] = set()

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        await js.publish("chain.in", body, headers={"Nats-Msg-Id": secrets.token_hex(16)})
        return web.Response(text="success")

    async def commit() -> None:
        pull = await js.pull_subscribe("chain.in", "bare-chain")
        while True:
            try:
                messages = await pull.fetch(64, timeout=5)
            except nats.errors.TimeoutError:
                continue
            async with database.transaction():
                await database.executemany(
                    "insert into bare_chain values ($1, $2)", [(secrets.token_hex(8), one.data) for one in messages]
                )
            for one in messages:
                await js.publish("chain.out", one.data)
                await one.ack()

    async def fan_out(message: nats.aio.msg.Msg) -> None:
        event = json.dumps({"orderId": json.loads(message.data)["id"]})
        for reader in readers:
            reader.put_nowait(f"data: {event}\n\n".encode())

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": open\n\n")
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        readers.add(queue)
        while True:
            await response.write(await queue.get())

    async def start(app: web.Application) -> None:
        app["commit"] = asyncio.create_task(commit())
        await js.subscribe("chain.out", cb=fan_out, ordered_consumer=True)

    app = web.Application()
    app.router.add_post("/push", receive)
    app.router.add_get("/stream", stream)
    app.on_startup.append(start)
    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--nats")
    parser.add_argument("--postgres")
    arguments = parser.parse_args()
    uvloop.install()
    app = create_app(arguments.nats, arguments.postgres)
    web.run_app(app, host="127.0.0.1", port=arguments.port, access_log=None, print=None, shutdown_timeout=1)


if __name__ == "__main__":
    main()
