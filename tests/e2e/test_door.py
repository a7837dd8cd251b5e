"""Bad input at the door: the right status, a stable reason, one log line, and nothing changed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.waiting import until

EVENT = (
    "<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>1767225600</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[{event}]]></Event><ChangeType><![CDATA[{change}]]></ChangeType>"
    "<UserID><![CDATA[guide_001]]></UserID><ExternalUserID><![CDATA[wmDOOR]]></ExternalUserID></xml>"
)


class WeComSender:
    """Makes callbacks by hand, so that each part can be wrong."""

    def __init__(self, suite: Suite) -> None:
        keys = suite.home.keys
        self.corp, self.token = keys["corp_id"], keys["callback_token"]
        self.key = base64.b64decode(keys["callback_aes_key"] + "=")
        self.url = f"{suite.gateway}/wecom/callback/{self.corp}/1000002"

    def encrypt(
        self, plain: bytes, *, receiver: str | None = None, key: bytes | None = None, pad: int | None = None
    ) -> str:
        body = os.urandom(16) + struct.pack(">I", len(plain)) + plain + (receiver or self.corp).encode()
        size = 32 - len(body) % 32
        body += bytes([size if pad is None else pad]) * size
        secret = key or self.key
        encryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).encryptor()
        return base64.b64encode(encryptor.update(body) + encryptor.finalize()).decode()

    def query(self, encrypted: str) -> dict[str, str]:
        stamp = str(int(time.time()))
        signature = hashlib.sha1("".join(sorted([self.token, stamp, "n1", encrypted])).encode()).hexdigest()  # noqa: S324
        return {"msg_signature": signature, "timestamp": stamp, "nonce": "n1"}

    def envelope(self, encrypted: str, *, corp: str | None = None, agent: str = "1000002") -> str:
        return (
            f"<xml><ToUserName><![CDATA[{corp or self.corp}]]></ToUserName><AgentID><![CDATA[{agent}]]></AgentID>"
            f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        )

    def event(self, event: str = "change_external_contact", change: str = "edit_external_contact") -> bytes:
        return EVENT.format(corp=self.corp, event=event, change=change).encode()


Request = tuple[str, dict[str, str], str | bytes, str]


def _good(s: WeComSender) -> Request:
    encrypted = s.encrypt(s.event())
    return s.url, s.query(encrypted), s.envelope(encrypted), "text/xml"


def _signed(s: WeComSender, encrypted: str, **envelope: str) -> Request:
    return s.url, s.query(encrypted), s.envelope(encrypted, **envelope), "text/xml"


def _without(s: WeComSender, name: str) -> Request:
    url, query, body, kind = _good(s)
    return url, {key: value for key, value in query.items() if key != name}, body, kind


CALLBACKS: dict[str, tuple[Callable[[WeComSender], Request], int, str]] = {
    "wrong signature": (
        lambda s: (s.url, {**s.query("x"), "msg_signature": "0" * 40}, s.envelope(s.encrypt(s.event())), "text/xml"),
        401,
        "SIGNATURE_WRONG",
    ),
    "signature missing": (lambda s: _without(s, "msg_signature"), 400, "PARAMETER_MISSING"),
    "wrong key": (lambda s: _signed(s, s.encrypt(s.event(), key=bytes(32))), 400, ""),
    "unknown corp": (lambda s: (s.url.replace(s.corp, "wwnobody"), *_good(s)[1:]), 404, "CALLBACK_UNKNOWN"),
    "unknown app": (lambda s: (s.url.replace("1000002", "7"), *_good(s)[1:]), 404, "CALLBACK_UNKNOWN"),
    "another corp's envelope": (lambda s: _signed(s, s.encrypt(s.event()), corp="wwother"), 403, "CORP_WRONG"),
    "another app's envelope": (lambda s: _signed(s, s.encrypt(s.event()), agent="99"), 403, "APP_WRONG"),
    "wrong receiveid": (lambda s: _signed(s, s.encrypt(s.event(), receiver="wwother")), 403, "RECEIVER_WRONG"),
    "truncated ciphertext": (lambda s: _signed(s, s.encrypt(s.event())[:-8]), 400, ""),
    "not base64": (lambda s: _signed(s, "§§§"), 400, "CIPHERTEXT_NOT_BASE64"),
    "bad padding": (lambda s: _signed(s, s.encrypt(s.event(), pad=77)), 400, "PADDING_WRONG"),
    "DOCTYPE outside": (
        lambda s: (s.url, s.query("x"), '<!DOCTYPE a [<!ENTITY e "x">]><xml><Encrypt>&e;</Encrypt></xml>', "text/xml"),
        400,
        "XML_FORBIDDEN",
    ),
    "DOCTYPE inside": (
        lambda s: _signed(s, s.encrypt(b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml>&e;</xml>')),
        400,
        "XML_FORBIDDEN",
    ),
    "not XML": (lambda s: (s.url, s.query("x"), "{}", "text/xml"), 400, "XML_WRONG"),
    "Encrypt missing": (lambda s: (s.url, s.query("x"), "<xml/>", "text/xml"), 400, "ENCRYPT_MISSING"),
    "over-size": (lambda s: (s.url, s.query("x"), b"x" * 300_000, "text/xml"), 413, "REQUEST_ENTITY_TOO_LARGE"),
    "wrong content type": (lambda s: (*_good(s)[:3], "application/json"), 415, "UNSUPPORTED_MEDIA_TYPE"),
}


async def refused(
    client: Client, suite: Suite, request: Request, status: int, reason: str, headers: dict[str, str]
) -> None:
    """Sent, refused as expected, logged once, and nothing reached the stream."""
    url, query, body, kind = request
    edge = await edge_messages(client, suite)
    async with client.session.post(url, params=query, data=body, headers={"Content-Type": kind, **headers}) as answer:
        text = await answer.text()
        assert answer.status == status, text
        assert answer.content_type == "application/problem+json"
        problem = json.loads(text)
        assert problem["reason"] == reason or not reason
        assert "success" not in text
    assert await edge_messages(client, suite) == edge

    def lines() -> list[str]:  # written when the loop's turn ends, which can be after the answer has come
        written = (suite.home.logs / "gateway.log").read_text().splitlines()
        return [line for line in written if problem["requestId"] in line]

    assert len(await until(lines)) == 1


async def edge_messages(client: Client, suite: Suite) -> int:
    async with client.session.get(f"http://127.0.0.1:{suite.ports.nats_monitor}/jsz?streams=true") as answer:
        state = await answer.json()
    streams = [stream for account in state["account_details"] for stream in account["stream_detail"]]
    return int(next(stream["state"]["messages"] for stream in streams if stream["name"] == "EDGE"))


@pytest.mark.parametrize("case", CALLBACKS)
async def test_a_bad_callback_is_refused(admin: Client, suite: Suite, case: str) -> None:
    make, status, reason = CALLBACKS[case]
    await quiet(admin)
    await refused(admin, suite, make(WeComSender(suite)), status, reason, {})


async def quiet(admin: Client) -> None:
    """Nothing of another test is on its way."""

    async def nothing_open() -> bool:
        return bool((await admin.ask_sandbox("/sandbox/deliveries"))["open"] == 0)

    await until(nothing_open)


async def test_a_body_in_chunks_is_measured_too(admin: Client, suite: Suite) -> None:
    """Without a Content-Length; and of a shape that must not be searched again and again."""

    async def chunks(raw: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 8192):
            yield raw[start : start + 8192]

    sender = WeComSender(suite)
    for raw, status in (
        (b"<xml>" + b"<A><![CDATA[" * 100_000 + b"</xml>", 413),
        (b"<xml>" + b"<A><![CDATA[" * 20_000 + b"</xml>", 400),
    ):
        headers = {"Content-Type": "text/xml"}
        async with admin.session.post(
            sender.url, data=chunks(raw), params=sender.query("x"), headers=headers
        ) as answer:
            assert answer.status == status
    keys = suite.home.keys
    address = f"{suite.gateway}/mall/{keys['corp_id']}/yz-main"
    headers = {"Content-Type": "application/json"}
    async with admin.session.post(address, data=chunks(b"x" * (1024 * 1024 + 1)), headers=headers) as answer:
        assert answer.status == 413


async def test_the_good_callback_is_accepted_and_its_retry_is_one_fact(admin: Client, suite: Suite) -> None:
    sender = WeComSender(suite)
    plain = sender.event().replace(b"wmDOOR", b"wmRETRY")  # an event that no other test has sent
    await quiet(admin)
    before = await edge_messages(admin, suite)
    for _ in range(2):  # encrypted anew each time, as a re-send is
        url, query, body, kind = _signed(sender, sender.encrypt(plain))
        async with admin.session.post(url, params=query, data=body, headers={"Content-Type": kind}) as answer:
            assert (answer.status, await answer.text()) == (200, "success")
    assert await edge_messages(admin, suite) == before + 1


async def test_an_unknown_event_is_kept_acknowledged_and_counted(admin: Client, suite: Suite) -> None:
    sender = WeComSender(suite)
    encrypted = sender.encrypt(sender.event("change_of_heart", "sudden"))
    url, query, body, kind = _signed(sender, encrypted)
    async with admin.session.post(url, params=query, data=body, headers={"Content-Type": kind}) as answer:
        assert answer.status == 200
    database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "identity"))
    try:
        seen = await until(
            lambda: database.fetchval(
                "select seen from identity.unknown_events where event = 'change_of_heart' and change_type = 'sudden'"
            )
        )
        assert seen == 1
    finally:
        await database.close()


async def test_url_verification_answers_the_bare_echo(admin: Client, suite: Suite) -> None:
    sender = WeComSender(suite)
    echo = sender.encrypt(b"1234567890123456789")
    query = {**sender.query(echo), "echostr": echo}
    async with admin.session.get(sender.url, params=query) as answer:
        assert (answer.status, await answer.read()) == (200, b"1234567890123456789")
    async with admin.session.get(sender.url, params={**query, "nonce": "other"}) as answer:
        assert answer.status == 401


# -- the mall


def _order(**changes: Any) -> dict[str, Any]:
    full = {
        "order_info": {
            "tid": "E1",
            "status": "TRADE_PAID",
            "created": "2026-10-01 12:00:00",
            "pay_time": "2026-10-01 12:00:21",
        },
        "pay_info": {"total_fee": "129.00", "payment": "119.00"},
        "orders": [],
        "buyer_info": {"yz_open_id": "yzDOOR"},
    }
    full["pay_info"].update(changes.get("pay_info", {}))  # type: ignore[union-attr]
    full["order_info"].update(changes.get("order_info", {}))  # type: ignore[union-attr]
    return {"full_order_info": full}


def _envelope(content: Any, **changes: Any) -> bytes:
    envelope = {"kdt_id": 160001, "type": "trade_TradePaid", "msg_id": "door", "version": 1, "test": False}
    return json.dumps({**envelope, "msg": quote(json.dumps(content)), **changes}).encode()


MALL: dict[str, tuple[bytes, int, str]] = {
    "wrong shop": (_envelope(_order(), kdt_id=7), 403, "SHOP_WRONG"),
    "three decimals": (_envelope(_order(pay_info={"payment": "1.005"})), 400, "AMOUNT_WRONG"),
    "negative": (_envelope(_order(pay_info={"payment": "-1.00"})), 400, "AMOUNT_WRONG"),
    "overflowing": (_envelope(_order(pay_info={"payment": "9" * 30})), 400, "AMOUNT_WRONG"),
    "a float": (_envelope(_order(pay_info={"payment": 1.5})), 400, "AMOUNT_WRONG"),
    "no order number": (_envelope(_order(order_info={"tid": None})), 400, "FIELD_MISSING"),
    "NUL in the order number": (_envelope(_order(order_info={"tid": "E\x00"})), 400, "FIELD_WRONG"),
    "a time that is none": (_envelope(_order(order_info={"pay_time": "yesterday"})), 400, "TIME_WRONG"),
    "a version that is none": (_envelope(_order(), version="x"), 400, "VERSION_WRONG"),
    "no JSON": (b"{", 400, "JSON_WRONG"),
    "a list": (b"[]", 400, "FIELD_WRONG"),
    "not UTF-8": (b'{"a": "\xff"}', 400, "JSON_WRONG"),
    "deeply nested": (b"[" * 100_000, 400, "JSON_WRONG"),
    "msg that is no JSON": (_envelope({}, msg="%7B"), 400, "JSON_WRONG"),
    "whole order missing": (_envelope({"tid": "E1"}), 400, "FIELD_MISSING"),
}


def sign_for_mall(suite: Suite, body: bytes) -> tuple[str, dict[str, str]]:
    """The shop's address and the headers that go with this body."""
    keys = suite.home.keys
    signed = keys["mall_client_id"].encode() + body + keys["mall_client_secret"].encode()
    headers = {"Event-Sign": hashlib.md5(signed).hexdigest(), "Client-Id": keys["mall_client_id"]}  # noqa: S324
    return f"{suite.gateway}/mall/{keys['corp_id']}/yz-main", headers


def _mall(suite: Suite, body: bytes) -> tuple[Request, dict[str, str]]:
    url, headers = sign_for_mall(suite, body)
    return (url, {}, body, "application/json"), headers


async def youzan_message(client: Client, suite: Suite, kind: str, msg: dict[str, Any], number: int) -> None:
    """Sent, and taken."""
    name = f"{kind} {msg.get('refund_id', '')} {number}"
    body = _envelope(msg, type=kind, msg_id=name, version=number)
    (url, _, body, content), headers = _mall(suite, body)
    async with client.session.post(url, data=body, headers={"Content-Type": content, **headers}) as answer:
        assert answer.status == 200, await answer.text()


@pytest.mark.parametrize("case", MALL)
async def test_a_bad_mall_message_is_refused(admin: Client, suite: Suite, case: str) -> None:
    body, status, reason = MALL[case]
    request, headers = _mall(suite, body)
    await quiet(admin)
    await refused(admin, suite, request, status, reason, headers)


async def test_mall_signature_and_address(admin: Client, suite: Suite) -> None:
    (url, query, body, kind), headers = _mall(suite, _envelope(_order()))
    await quiet(admin)
    for changed, status in (({"Event-Sign": "0" * 32}, 401), ({"Client-Id": "other"}, 401)):
        await refused(admin, suite, (url, query, body, kind), status, "SIGNATURE_WRONG", {**headers, **changed})
    await refused(admin, suite, (url, query, body, kind), 401, "SIGNATURE_WRONG", {})
    nowhere = url.replace("yz-main", "yz-other")
    await refused(admin, suite, (nowhere, query, body, kind), 404, "MALL_UNKNOWN", headers)
    await refused(admin, suite, (url, query, body, "text/plain"), 415, "", headers)


async def test_a_refund_above_its_payment_is_a_dead_letter_and_one_before_it_waits(admin: Client, suite: Suite) -> None:
    async def send(kind: str, msg: dict[str, Any], number: int) -> None:
        await youzan_message(admin, suite, kind, msg, number)

    def refund(name: str, yuan: str) -> dict[str, Any]:
        return {"tid": "E-refund", "refund_id": name, "refunded_fee": yuan, "update_time": "2026-10-02 12:00:00"}

    database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "commerce"))
    try:
        statuses = (
            "select string_agg(refund_id || ' ' || status, ', ' order by refund_id)"
            " from commerce.refunds where order_id = 'E-refund'"
        )
        await send("trade_refund_RefundSuccess", refund("R-door-1", "100.00"), 1)
        await until(lambda: _is(database, statuses, "R-door-1 WAITING"))
        await send("trade_TradePaid", _order(order_info={"tid": "E-refund"}), 2)
        await until(lambda: _is(database, statuses, "R-door-1 ACCEPTED"))
        await send("trade_refund_RefundSuccess", refund("R-door-2", "20.00"), 3)
        await until(lambda: _is(database, statuses, "R-door-1 ACCEPTED, R-door-2 EXCESS"))
        reasons = await database.fetch("select reason from commerce.dead_letters where detail like '%R-door-2%'")
        assert [row["reason"] for row in reasons] == ["REFUND_ABOVE_PAYMENT"]
    finally:
        await database.close()


async def _is(database: Any, query: str, expected: str) -> bool:
    return bool(await database.fetchval(query) == expected)
