"""The ceiling of a REST read: unary grpc.aio calls that answer what they were sent, server and client two processes.

    python -m tests.bench.echo CALLS IN_FLIGHT

Prints calls a second.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import grpc
import uvloop

PAYLOAD = b"x" * 600


async def serve() -> None:
    server = grpc.aio.server()

    async def echo(request: bytes, context: object) -> bytes:
        return request

    handler = grpc.method_handlers_generic_handler("bench.Echo", {"Echo": grpc.unary_unary_rpc_method_handler(echo)})
    server.add_generic_rpc_handlers((handler,))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()


async def call(port: int, calls: int, in_flight: int) -> float:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        echo = channel.unary_unary("/bench.Echo/Echo")
        left = calls

        async def worker() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await echo(PAYLOAD)

        await echo(PAYLOAD)
        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return calls / (time.perf_counter() - began)


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
        return
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.echo", "serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        print(uvloop.run(call(port, int(sys.argv[1]), int(sys.argv[2]))))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
