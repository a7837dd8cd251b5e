"""The sandbox's Youzan shop, read as its reference says and by nothing of ours."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import unquote

from tests.contract.sandbox.conftest import Platform
from tests.waiting import until

TOKEN = {"authorize_type": "silent", "grant_id": "160001"}


async def token_of(platform: Platform) -> str:
    client = {"client_id": platform.keys["mall_client_id"], "client_secret": platform.keys["mall_client_secret"]}
    answer = await platform.control("/auth/token", {**TOKEN, **client})
    return str(answer["data"]["access_token"])


async def users(platform: Platform, token: str, **asked: Any) -> list[dict[str, Any]]:
    path = f"/api/youzan.users.info.query/1.0.1?access_token={token}"
    found: list[dict[str, Any]] = (await platform.control(path, asked))["data"]["user_list"]
    return found


async def pushes(platform: Platform, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """Messages of this kind, their signatures checked, msg read as its family writes it."""
    client, secret = platform.keys["mall_client_id"], platform.keys["mall_client_secret"]

    def read() -> list[dict[str, Any]]:
        found = []
        for headers, body in list(platform.door.pushed):
            signed = hashlib.md5(client.encode() + body + secret.encode(), usedforsecurity=False).hexdigest()
            assert headers["Event-Sign"] == signed
            envelope = json.loads(body)
            if envelope["type"] == kind:
                msg = envelope["msg"]
                found.append(json.loads(unquote(msg)) if isinstance(msg, str) else msg)
        return found if len(found) >= count else []

    return list(await until(read))


async def test_a_new_token_ends_the_one_before(platform: Platform) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "buyer"})
    asked = {"yz_open_id": friend["yz_open_ids"][0]}
    first = await token_of(platform)
    assert await users(platform, first, **asked)
    second = await token_of(platform)
    path = f"/api/youzan.users.info.query/1.0.1?access_token={first}"
    assert (await platform.control(path, asked))["gw_err_resp"]["err_code"] == 4203
    assert await users(platform, second, **asked)


async def test_who_a_buyer_is_depends_on_the_kinds_asked_for(platform: Platform) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "buyer"})
    token, asked = await token_of(platform), {"yz_open_id": friend["yz_open_ids"][0]}
    (phone,) = await users(platform, token, **asked)
    assert "wechat_info" not in phone
    several = await users(platform, token, **asked, result_type_list=[0, 1, 2, 9])
    unionids = [one.get("wechat_info", {}).get("union_id") for one in several]
    assert [one.get("wechat_info", {}).get("wechat_type") for one in several] == [None, 1, 2, 9]
    assert unionids[1] == unionids[2]
    assert unionids[0] is None
    assert unionids[3] is None
    by_unionid = await users(platform, token, weixin_union_id=unionids[1])
    assert by_unionid[0]["primitive_info"]["yz_open_id"] == asked["yz_open_id"]
    loose = {"userid": "guide_001", "person": "no WeChat", "shop_bound": False}
    stranger = await platform.control("/sandbox/scan", loose)
    told = await users(platform, token, yz_open_id=stranger["yz_open_ids"][0], result_type_list=[0, 1, 2])
    assert [set(one) & {"wechat_info"} for one in told] == [set()]


async def test_an_order_of_several_lines_and_its_money(platform: Platform) -> None:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "buyer"})
    body = {"external_userid": friend["external_userid"], "lines": ["10.00", "2.50", "0.01"]}
    placed = await platform.control("/sandbox/order", body)
    full = (await pushes(platform, "trade_TradePaid"))[0]["full_order_info"]
    assert full["pay_info"]["payment"] == "12.51"
    assert [line["payment"] for line in full["orders"]] == body["lines"]
    assert [line["oid"] for line in full["orders"]] == placed["oids"]
    first = full["orders"][0]
    assert (first["outer_item_id"], first["outer_sku_id"], first["sku_id"]) == ("SPU-1", "SKU-1-A", 600201)
    assert full["buyer_info"]["buyer_phone"].startswith("$enc$")
    assert full["buyer_info"]["outer_user_id"]
    assert full["address_info"]["delivery_province"].endswith("省")
    assert full["source_info"]["source"]["platform"]


async def test_a_guest_has_no_account(platform: Platform) -> None:
    await platform.control("/sandbox/scan", {"userid": "guide_001", "person": "somebody"})
    await platform.control("/sandbox/order", {"guest": True})
    (paid,) = await pushes(platform, "trade_TradePaid")
    assert set(paid["full_order_info"]["buyer_info"]) == {"buyer_phone"}


async def test_two_families_tell_of_a_refund(platform: Platform) -> None:
    refund = {"order_id": "E1", "oid": "1", "yuan": "3.20", "refund_id": "R1"}
    for newer in (False, True):
        await platform.control("/sandbox/refund", {**refund, "newer": newer})
    (older,) = await pushes(platform, "trade_refund_RefundSuccess")
    (newest,) = await pushes(platform, "youzan_trade_RefundSuccess")
    for told in (older, newest):
        assert (told["tid"], told["oid"], told["refund_id"], told["refunded_fee"]) == ("E1", "1", "R1", "3.20")
    assert newest["refund_type"] == "REFUND_ONLY"
