"""The Youzan shop: its API (token, who is a buyer) and its messages about orders (reference: mall webhooks, 7)."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from aiohttp import web

from deploy.sandbox.delivery import Delivery, youzan_message
from deploy.sandbox.world import Corp, World

BEIJING = timezone(timedelta(hours=8))
TOKEN_SECONDS = 7 * 86400


class ShopApi:
    def __init__(self, world: World) -> None:
        self._world = world
        self._tokens: dict[str, tuple[str, float]] = {}  # token → corp, until

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/auth/token", self._token)
        app.router.add_post("/api/youzan.users.info.query/1.0.1", self._query)

    async def _token(self, request: web.Request) -> web.Response:
        body = await _body(request)
        for corp in self._world.corps.values():
            for mall in corp.config.get("mall", []):
                if (mall["client_id"], mall["client_secret"], mall["kdt_id"]) == (
                    body.get("client_id"),
                    body.get("client_secret"),
                    body.get("grant_id"),
                ):
                    token, until = secrets.token_hex(16), time.time() + TOKEN_SECONDS
                    self._tokens[token] = (corp.corp_id, until)
                    data = {
                        "access_token": token,
                        "expires": int(until * 1000),
                        "scope": "",
                        "authority_id": mall["kdt_id"],
                    }
                    return web.json_response({"code": 200, "success": True, "data": data})
        return web.json_response({"code": 1001, "success": False, "message": "client or shop unknown", "data": None})

    async def _query(self, request: web.Request) -> web.Response:
        corp_id, until = self._tokens.get(request.query.get("access_token", ""), ("", 0.0))
        if until < time.time():
            return web.json_response({"gw_err_resp": {"err_code": 4203, "err_msg": "invalid token"}})
        body = await _body(request)
        asked = str(body.get("yz_open_id", ""))
        person = self._world.corps[corp_id].buyer(asked)
        if person is not None:
            user = {
                "primitive_info": {"yz_open_id": asked},
                "wechat_info": {"union_id": person.unionid, "open_id": "o_" + asked, "wechat_type": 1},
            }
            return web.json_response({"code": 200, "success": True, "data": {"user_list": [user]}})
        return web.json_response({"code": 200, "success": True, "data": {"user_list": []}})


class Shop:
    """Makes the messages of one corp's shop."""

    def __init__(self, corp: Corp, mall: dict[str, Any]) -> None:
        self._corp, self._mall = corp, mall

    def order(self, kind: str, order_id: str, buyer: str, yuan: str, created: datetime, at: datetime) -> Delivery:
        """trade_TradeCreate or trade_TradePaid, with the whole order."""
        paid = kind == "trade_TradePaid"
        status = "TRADE_PAID" if paid else "WAIT_BUYER_PAY"
        info: dict[str, Any] = {"tid": order_id, "status": status, "created": _text(created), "update_time": _text(at)}
        if paid:
            info["pay_time"] = _text(at)
        info["order_tags"] = {"is_virtual": False}
        person = self._corp.buyer(buyer)
        name, phone = (person.name, person.phone) if person is not None else ("", "")
        full = {
            "order_info": info,
            "pay_info": {"total_fee": yuan, "post_fee": "0.00", "payment": yuan, "outer_transactions": []},
            "orders": [
                {
                    "oid": order_id[1:], "item_id": 500100, "sku_id": 600200, "outer_item_id": "CD-1",
                    "title": "CD 唱片", "num": 1, "price": yuan, "total_fee": yuan, "payment": yuan,
                }
            ],
            "buyer_info": {"yz_open_id": buyer, "buyer_phone": phone},
            "address_info": {
                "receiver_name": name, "receiver_tel": phone, "delivery_province": "浙江省", "delivery_city": "杭州市",
            },
        }  # fmt: skip
        return self._message(kind, status, order_id, at, {"full_order_info": full})

    def step(self, kind: str, order_id: str, at: datetime, **more: Any) -> Delivery:
        """A message that only says that something happened: shipped, success, close, refund."""
        return self._message(kind, "", order_id, at, {"tid": order_id, "update_time": _text(at), **more})

    def refund(self, order_id: str, refund_id: str, yuan: str, at: datetime) -> Delivery:
        more = {"oid": order_id[1:], "refund_id": refund_id, "refunded_fee": yuan, "version": int(at.timestamp())}
        return self.step("trade_refund_RefundSuccess", order_id, at, **more)

    def _message(self, kind: str, status: str, order_id: str, at: datetime, msg: dict[str, Any]) -> Delivery:
        version = int(at.timestamp())
        msg_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._mall['kdt_id']}/{kind}/{order_id}/{json.dumps(msg)}"))
        return youzan_message(self._corp, self._mall, kind, status, order_id, version, msg_id, msg)


def _text(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
