"""The ceiling of callback ingest: an aiohttp handler that only publishes the raw body and waits for the ack."""

from __future__ import annotations

import argparse
import secrets

import nats
import uvloop
from aiohttp import web


async def create_app(nats_url: str) -> web.Application:
    connected = await nats.connect(nats_url)
    js = connected.jetstream()

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        await js.publish("bare.events", body, headers={"Nats-Msg-Id": secrets.token_hex(16)})
        return web.Response(text="success")

    app = web.Application()
    app.router.add_post("/", receive)
    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--nats")
    arguments = parser.parse_args()
    uvloop.install()
    web.run_app(create_app(arguments.nats), host="127.0.0.1", port=arguments.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
