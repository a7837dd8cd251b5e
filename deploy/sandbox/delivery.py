"""Sends callbacks and webhooks as the platforms do: signed anew for each attempt, repeated until answered well."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
from wechatpy.work.crypto import WeChatCrypto

from deploy.sandbox.faults import Faults
from deploy.sandbox.world import Corp

ANSWER_SECONDS = 5.0
# Waits before the second and later attempts. WeCom's documents say "three times" (Faults.attempts) and no spacing;
# Youzan's say up to sixteen with growing pauses. These are short, so that a test sees the whole span.
WECOM_PAUSES = (1.0, 3.0, 6.0, 10.0)
MALL_PAUSES = (1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0)


@dataclass
class Delivery:
    """One message on its way. `sign` makes an attempt: (url query, body, headers)."""

    kind: str
    what: str
    path: str
    sign: Callable[[int], tuple[str, bytes, dict[str, str]]] = field(repr=False)
    pauses: tuple[float, ...] = WECOM_PAUSES
    attempts: int = 0
    # The external_userid that the message is about, where there is one.
    about: str = ""
    status: str = "open"
    statuses: list[int] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key not in ("sign", "pauses")}


class Courier:
    """All deliveries of this sandbox. `log` keeps every one for the tests to look at.

    The gateways take turns, as behind a load balancer that does not look who is well; a message that failed at one of
    them goes to the next.
    """

    def __init__(self, gateways: list[str], faults: Faults) -> None:
        self._gateways = gateways
        self._turns = itertools.count()
        self._faults = faults
        self.log: list[Delivery] = []
        self._session: aiohttp.ClientSession | None = None

    async def send(self, delivery: Delivery) -> bool:
        """Attempts until acknowledged or given up."""
        self.log.append(delivery)
        pauses, turn = delivery.pauses, next(self._turns)
        if delivery.kind == "wecom":
            pauses = pauses[: max(0, self._faults.attempts - 1)]
        for pause in (0.0, *pauses):
            if pause:
                await asyncio.sleep(pause)
            query, body, headers = delivery.sign(delivery.attempts)
            gateway = self._gateways[(turn + delivery.attempts) % len(self._gateways)]
            delivery.attempts += 1
            status, text = await self._post(gateway + delivery.path + query, body, headers)
            delivery.statuses.append(status)
            if status == 200 and (delivery.kind == "wecom" or "success" in text):
                delivery.status = "delivered"
                return True
        delivery.status = "given_up"
        return False

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS), connector=connector
            )
        try:
            async with self._session.post(url, data=body, headers=headers) as response:
                return response.status, await response.text()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return 0, ""


def callback(corp: Corp, app: dict[str, Any], what: str, plain: str) -> Delivery:
    """An encrypted event for one app."""
    crypto = WeChatCrypto(app["callback_token"], app["callback_aes_key"], corp.corp_id)

    def sign(attempt: int) -> tuple[str, bytes, dict[str, str]]:
        timestamp, nonce = str(int(time.time())), f"{time.time_ns() % 10**10}{attempt}"
        crypted = crypto.encrypt_message(plain, nonce, timestamp)
        envelope = crypted if isinstance(crypted, str) else crypted.decode()
        signature = envelope.split("<MsgSignature><![CDATA[", 1)[1].split("]]>", 1)[0]
        encrypted = envelope.split("<Encrypt><![CDATA[", 1)[1].split("]]>", 1)[0]
        body = (
            f"<xml><ToUserName><![CDATA[{corp.corp_id}]]></ToUserName>"
            f"<Encrypt><![CDATA[{encrypted}]]></Encrypt><AgentID><![CDATA[{app['agent_id']}]]></AgentID></xml>"
        )
        query = f"?msg_signature={signature}&timestamp={timestamp}&nonce={nonce}"
        return query, body.encode(), {"Content-Type": "text/xml; charset=utf-8"}

    about = plain.partition("<ExternalUserID><![CDATA[")[2].partition("]]>")[0]
    return Delivery("wecom", what, f"/wecom/callback/{corp.corp_id}/{app['agent_id']}", sign, about=about)


def youzan_message(
    corp: Corp, mall: dict[str, Any], kind: str, status: str, order_id: str, version: int, msg: dict[str, Any],
    *, as_object: bool = False,
) -> Delivery:  # fmt: skip
    """A signed push about an order; `msg` travels as URL-encoded JSON text, in newer families as an object."""
    text = json.dumps(msg, ensure_ascii=False)
    msg_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{mall['kdt_id']}/{kind}/{order_id}/{text}"))
    carried: Any = msg if as_object else quote(text)

    def sign(attempt: int) -> tuple[str, bytes, dict[str, str]]:
        envelope = {
            "client_id": mall["client_id"], "app_id": "45623", "kdt_id": int(mall["kdt_id"]),
            "root_kdt_id": int(mall["kdt_id"]), "kdt_name": "演示店", "id": order_id, "type": kind, "status": status,
            "msg": carried, "msg_id": msg_id, "version": version, "sendCount": attempt, "mode": 1, "test": False,
        }  # fmt: skip
        body = json.dumps(envelope).encode()
        signed = hashlib.md5(mall["client_id"].encode() + body + mall["client_secret"].encode()).hexdigest()
        headers = {
            "Content-Type": "application/json", "Event-Sign": signed, "Event-Type": kind,
            "Client-Id": mall["client_id"],
        }  # fmt: skip
        return "", body, headers

    return Delivery("youzan", f"{kind} {order_id}", f"/mall/{corp.corp_id}/{mall['id']}", sign, MALL_PAUSES)
