"""What the door takes a second, beside the bare handler: WeCom's callbacks and a mall's webhooks.

Payloads are distinct and signed; the ceiling runs in turns with ours on the same NATS, at the same concurrency, and
counts with its best of three concurrencies.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import nats
import psutil
from wechatpy.work.crypto import WeChatCrypto

from deploy.local.suite import ROOT, Suite
from tests.conftest import free_port

REQUESTS = 6000
IN_FLIGHT = (16, 64, 256)
ROUNDS = 2
EVENT = (
    "<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[msg_audit_approved]]></ChangeType>"
    "<UserID><![CDATA[guide_001]]></UserID><ExternalUserID><![CDATA[wmBENCH{number:024d}]]></ExternalUserID></xml>"
)


def callback_ingest(suite: Suite) -> dict[str, Any]:
    return _ingest(suite, "callback ingest", "callbacks/s", callback_requests, consumers=("identity",))


def webhook_ingest(suite: Suite) -> dict[str, Any]:
    return _ingest(suite, "webhook ingest", "webhooks/s", webhook_requests, consumers=("commerce", "identity"))


def callback_requests(keys: dict[str, str], offset: int) -> list[bytes]:
    """Whole HTTP requests, every one another event."""
    crypto = WeChatCrypto(keys["callback_token"], keys["callback_aes_key"], keys["corp_id"])
    requests = []
    for number in range(offset, offset + REQUESTS):
        stamp = str(int(time.time()))
        plain = EVENT.format(corp=keys["corp_id"], at=stamp, number=number)
        envelope = crypto.encrypt_message(plain, f"n{number}", stamp)
        signature = envelope.split("<MsgSignature><![CDATA[", 1)[1].split("]]>", 1)[0]
        query = urllib.parse.urlencode({"msg_signature": signature, "timestamp": stamp, "nonce": f"n{number}"})
        path = f"/wecom/callback/{keys['corp_id']}/1000002?{query}"
        requests.append(post(path, envelope.encode(), {"Content-Type": "text/xml"}))
    return requests


def webhook_requests(keys: dict[str, str], offset: int) -> list[bytes]:
    """Whole HTTP requests, every one another paid order of one line, as Youzan pushes it."""
    client_id, secret = keys["mall_client_id"], keys["mall_client_secret"]
    requests = []
    for number in range(offset, offset + REQUESTS):
        order_id = f"E{number:022d}"
        line = {"oid": order_id[1:], "item_id": 500100, "title": "CD 唱片", "num": 1, "payment": "119.00"}
        order = {
            "order_info": {"tid": order_id, "created": "2026-01-05 10:00:00", "pay_time": "2026-01-05 10:00:07"},
            "pay_info": {"total_fee": "129.00", "payment": "119.00"},
            "orders": [line],
            "buyer_info": {"yz_open_id": f"yzBENCH{number:020d}"},
        }
        envelope = {
            "client_id": client_id,
            "kdt_id": 160001,
            "id": order_id,
            "type": "trade_TradePaid",
            "msg": urllib.parse.quote(json.dumps({"full_order_info": order}, ensure_ascii=False)),
            "msg_id": f"bench-{number}",
            "version": 1767578407,
            "sendCount": 1,
            "test": False,
        }
        body = json.dumps(envelope).encode()
        signed = hashlib.md5(client_id.encode() + body + secret.encode()).hexdigest()  # noqa: S324
        headers = {"Content-Type": "application/json", "Event-Sign": signed, "Client-Id": client_id}
        requests.append(post(f"/mall/{keys['corp_id']}/yz-main", body, headers))
    return requests


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": str(len(body))}.items()]
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{''.join(lines)}\r\n".encode() + body


def to_root(request: bytes) -> bytes:
    """The same request for the bare handler."""
    _, rest = request.split(b" HTTP/1.1\r\n", 1)
    return b"POST / HTTP/1.1\r\n" + rest


def run_load(port: int, requests: list[bytes], in_flight: int) -> float:
    """Requests a second, all of them answered 200."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(struct.pack(">I", len(one)) + one for one in requests))
        file.flush()
        command = [sys.executable, "-m", "tests.bench.load", str(port), file.name, str(in_flight)]
        done = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)
    if done["good"] != len(requests):
        raise RuntimeError(f"{len(requests) - done['good']} of {len(requests)} requests failed")
    return float(len(requests) / done["seconds"])


def wait_open(port: int) -> None:
    """Returns when somebody listens. Raises OSError after ten seconds."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise OSError(f"nobody listens on {port}")


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def make_bare_stream(suite: Suite) -> None:
    connected = await nats.connect(suite.home.nats_url(suite.ports))
    await connected.jetstream().add_stream(name="BARE", subjects=["bare.>"], duplicate_window=600)
    await connected.close()


def _ingest(
    suite: Suite,
    row: str,
    unit: str,
    make: Callable[[dict[str, str], int], list[bytes]],
    consumers: tuple[str, ...],
) -> dict[str, Any]:
    """The gateway beside the bare handler, in turns. `consumers` are stopped: their work is another row's business."""
    for name in consumers:
        suite.stop(name)
    asyncio.run(make_bare_stream(suite))
    bare_port = free_port()
    command = [sys.executable, "-m", "tests.bench.bare", "--port", str(bare_port)]
    bare = subprocess.Popen([*command, "--nats", suite.home.nats_url(suite.ports)], cwd=ROOT)
    try:
        keys, offset = suite.home.keys, 0
        ours: dict[int, float] = dict.fromkeys(IN_FLIGHT, 0.0)
        ceiling: dict[int, float] = dict.fromkeys(IN_FLIGHT, 0.0)
        spent, sent = 0.0, 0
        wait_open(bare_port)
        for in_flight in IN_FLIGHT * ROUNDS:
            requests = make(keys, offset)
            offset += REQUESTS
            ceiling[in_flight] = max(ceiling[in_flight], run_load(bare_port, [to_root(r) for r in requests], in_flight))
            before = cpu_seconds(suite.pids()["gateway"])
            ours[in_flight] = max(ours[in_flight], run_load(suite.ports.gateway, requests, in_flight))
            spent, sent = spent + cpu_seconds(suite.pids()["gateway"]) - before, sent + len(requests)
        best = max(ceiling, key=lambda one: ceiling[one])
        return {
            "row": row,
            "unit": unit,
            "ours": round(ours[best]),
            "ceiling": round(ceiling[best]),
            "ratio": round(ours[best] / ceiling[best], 3),
            "cpu_us_per_item": round(spent / sent * 1e6),
            "at": f"{best} in flight",
            "all": {str(one): [round(ours[one]), round(ceiling[one])] for one in IN_FLIGHT},
        }
    finally:
        bare.terminate()
        bare.wait(10)
        for name in consumers:
            suite.start(name)
