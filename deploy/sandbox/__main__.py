"""Runs the sandbox: python -m deploy.sandbox --port 8090 --gateway URL --corps FILE [--members 200] [--memory FILE]
[--chat-port 8095]"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
from aiohttp import web

from deploy.sandbox import memory, qr_codes
from deploy.sandbox.api import Api
from deploy.sandbox.chat.window import ChatWindow
from deploy.sandbox.control import Control
from deploy.sandbox.customers import Customers
from deploy.sandbox.delivery import Courier
from deploy.sandbox.faults import Faults
from deploy.sandbox.pulse import Pulse
from deploy.sandbox.sending import Sender
from deploy.sandbox.shop_api import ShopApi
from deploy.sandbox.sign_in import SignIn
from deploy.sandbox.tickets import Tickets
from deploy.sandbox.world import World


def create_app(
    gateways: list[str], corps_file: Path, members: int, kept: Path | None, chat_port: int = 0
) -> web.Application:
    """`chat_port`: where WeCom's client is shown; 0: nowhere."""
    world, faults = World(corps_file, members), Faults()
    tickets = Tickets(faults)
    courier = Courier(gateways, faults)
    sender = Sender(courier, faults)
    if kept is not None:
        memory.recall(world, kept)
    api = Api(world, faults, tickets)
    app = web.Application()
    api.add_routes(app)
    ShopApi(world, faults).add_routes(app)
    SignIn(world).add_routes(app)
    qr_codes.add_routes(app, world)
    Customers(world, faults, sender).add_routes(app)
    control = Control(world, faults, api, courier, sender)
    control.add_routes(app)
    Pulse().watch(app)

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def close(_: web.Application) -> None:
        await courier.close()
        if kept is not None:
            memory.save(world, kept)

    async def open_chat(_: web.Application) -> AsyncIterator[None]:
        window = ChatWindow(world, tickets, gateways[0], control.order)
        runner = web.AppRunner(window.app(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", chat_port).start()
        yield
        await runner.cleanup()

    app.router.add_get("/livez", livez)
    if chat_port:
        app.cleanup_ctx.append(open_chat)
    app.on_cleanup.append(close)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--gateway", nargs="+", default=["http://127.0.0.1:8080"], help="replicas take turns")
    parser.add_argument("--corps", type=Path, required=True)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--memory", type=Path, help="a file that keeps the world from one run to the next")
    parser.add_argument("--chat-port", type=int, default=0, help="WeCom's client: a chat window with the sidebar in it")
    arguments = parser.parse_args()
    uvloop.install()
    app = create_app(arguments.gateway, arguments.corps, arguments.members, arguments.memory, arguments.chat_port)
    web.run_app(app, host="127.0.0.1", port=arguments.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
