"""A load generator in a process of its own: prepared requests, a fixed number in flight, raw HTTP/1.1 on keep-alive.

    python -m tests.bench.load PORT REQUESTS_FILE IN_FLIGHT

The file holds whole requests, each after its length (4 bytes, big-endian). Prints seconds and the count of answers 200.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from pathlib import Path

import uvloop


def read_requests(path: Path) -> list[bytes]:
    raw, position, requests = path.read_bytes(), 0, []
    while position < len(raw):
        (length,) = struct.unpack_from(">I", raw, position)
        requests.append(raw[position + 4 : position + 4 + length])
        position += 4 + length
    return requests


async def worker(port: int, requests: list[bytes]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    good = 0
    while requests:
        writer.write(requests.pop())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        good += head.startswith(b"HTTP/1.1 200")
    writer.close()
    return good


async def main(port: int, path: Path, in_flight: int) -> None:
    requests = read_requests(path)
    began = time.perf_counter()
    good = await asyncio.gather(*(worker(port, requests) for _ in range(in_flight)))
    print(json.dumps({"seconds": time.perf_counter() - began, "good": sum(good)}))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
