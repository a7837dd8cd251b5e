"""Runs the sandbox: python -m deploy.sandbox --port 8090 --gateway URL --corps FILE [--members 200] [--memory FILE]"""

from __future__ import annotations

import argparse
from pathlib import Path

import uvloop
from aiohttp import web

from deploy.sandbox import memory, qr_codes
from deploy.sandbox.api import Api
from deploy.sandbox.control import Control
from deploy.sandbox.customers import Customers
from deploy.sandbox.delivery import Courier
from deploy.sandbox.faults import Faults
from deploy.sandbox.pulse import Pulse
from deploy.sandbox.sending import Sender
from deploy.sandbox.shop_api import ShopApi
from deploy.sandbox.sign_in import SignIn
from deploy.sandbox.world import World


def create_app(gateways: list[str], corps_file: Path, members: int, kept: Path | None) -> web.Application:
    world, faults = World(corps_file, members), Faults()
    courier = Courier(gateways, faults)
    sender = Sender(courier, faults)
    if kept is not None:
        memory.recall(world, kept)
    api = Api(world, faults)
    app = web.Application()
    api.add_routes(app)
    ShopApi(world, faults).add_routes(app)
    SignIn(world).add_routes(app)
    qr_codes.add_routes(app, world)
    Customers(world, faults, sender).add_routes(app)
    Control(world, faults, api, courier, sender).add_routes(app)
    Pulse().watch(app)

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def close(_: web.Application) -> None:
        await courier.close()
        if kept is not None:
            memory.save(world, kept)

    app.router.add_get("/livez", livez)
    app.on_cleanup.append(close)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--gateway", nargs="+", default=["http://127.0.0.1:8080"], help="replicas take turns")
    parser.add_argument("--corps", type=Path, required=True)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--memory", type=Path, help="a file that keeps the world from one run to the next")
    arguments = parser.parse_args()
    uvloop.install()
    app = create_app(arguments.gateway, arguments.corps, arguments.members, arguments.memory)
    web.run_app(app, host="127.0.0.1", port=arguments.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
