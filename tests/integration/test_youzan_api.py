"""Youzan's API as it is: a new token ends the old one, and each account knows something else of the buyer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from nats.js import JetStreamContext

from chassis.kernel.corps import App, Corp, Corps, Mall
from chassis.sealing import Sealer
from commerce.adapters.malls import MallBook
from commerce.app.buyers import MallAway, MallRefused
from tests.conftest import CORP, free_port

PHONE = {"primitive_info": {"yz_open_id": "a1"}, "mobile_info": {"mobile_encrypted": "$enc$"}}
OFFICIAL: dict[str, Any] = {"wechat_info": {"open_id": "o1", "union_id": "u-shop", "wechat_type": 1}}
MINI: dict[str, Any] = {"wechat_info": {"open_id": "o2", "union_id": "u-mini", "wechat_type": "2"}}
YOUZANS_OWN = {"wechat_info": {"open_id": "o9", "union_id": "u-youzan", "wechat_type": 9}}


@dataclass
class Shop:
    port: int
    users: Any = None
    # A new one ends the one before.
    valid: str = ""
    tokens: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def token(self, request: web.Request) -> web.Response:
        self.valid = f"token{len(self.tokens)}"
        self.tokens.append(self.valid)
        until = int((time.time() + 7 * 86400) * 1000)
        return web.json_response({"success": True, "data": {"access_token": self.valid, "expires": until}})

    async def query(self, request: web.Request) -> web.Response:
        if request.query["access_token"] != self.valid:
            return web.json_response({"gw_err_resp": {"err_code": 4203, "err_msg": "invalid token"}})
        self.asked.append(await request.json())
        return web.json_response({"success": True, "data": self.users})

    def corps(self, **more: str) -> Corps:
        own = {"kdt_id": str(self.port), "client_id": "c", "client_secret": "s"}
        mall = {"id": "yz", "platform": "youzan", "api_base": f"http://127.0.0.1:{self.port}", **own, **more}
        app = App(agent_id=7, secret="s", callback_token="t", callback_aes_key="A" * 43)
        malls = (Mall.model_validate(mall),)
        return Corps((Corp(corp_id=CORP, name="x", api_base="x", oauth_base="x", app=(app,), mall=malls),))


@pytest.fixture(name="shop")
async def open_shop() -> AsyncIterator[Shop]:
    shop = Shop(free_port())
    app = web.Application()
    app.router.add_post("/auth/token", shop.token)
    app.router.add_post("/api/youzan.users.info.query/1.0.1", shop.query)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", shop.port).start()
    yield shop
    await runner.cleanup()


async def test_replicas_do_not_end_each_others_tokens(shop: Shop, jetstream: JetStreamContext, sealer: Sealer) -> None:
    replicas = [MallBook(shop.corps(), jetstream, sealer) for _ in range(3)]
    shop.users = {"user_list": [OFFICIAL]}
    for taken in range(1, 4):
        for replica in (*replicas, *replicas):
            assert await replica.who(CORP, "yz", "yz_open_id", "a1") == {"unionid": "u-shop"}
        assert len(shop.tokens) == taken, "one for all, each time the one before has ended"
        shop.valid = ""
    for replica in replicas:
        await replica.close()


@pytest.mark.parametrize(
    ("users", "names"),
    [
        ({"user_list": [PHONE, OFFICIAL, MINI]}, {"unionid": "u-shop"}),
        ({"user_list": [YOUZANS_OWN, MINI]}, {"unionid": "u-mini"}),
        ({"user_list": [YOUZANS_OWN]}, {}),
        ({"user_list": [PHONE]}, {}),
        ({"user_list": [{"wechat_info": {"open_id": "o1", "wechat_type": 1}}, MINI]}, {"unionid": "u-mini"}),
        ({"user_list": [{"wechat_info": {"union_id": "u", "wechat_type": None}}, None, {}]}, {}),
        ({"user_list": []}, {}),
        ({"user_list": None}, {}),
        (None, {}),
    ],
)
async def test_the_shops_own_account_says_who_a_buyer_is(
    shop: Shop, jetstream: JetStreamContext, sealer: Sealer, users: Any, names: dict[str, str]
) -> None:
    book = MallBook(shop.corps(), jetstream, sealer)
    shop.users = users
    assert await book.who(CORP, "yz", "yz_open_id", "a1") == names
    assert shop.asked == [{"yz_open_id": "a1", "result_type_list": [1, 2]}]
    await book.close()


async def test_what_cannot_be_asked_is_refused_and_what_fails_is_asked_again(
    shop: Shop, jetstream: JetStreamContext, sealer: Sealer
) -> None:
    book = MallBook(shop.corps(scope="outlet"), jetstream, sealer)
    for mall_id, kind in (("gone", "yz_open_id"), ("yz", "external_userid")):
        with pytest.raises(MallRefused):
            await book.who(CORP, mall_id, kind, "a1")
    assert book.scope_of(CORP, "yz", "yz_open_id") == "outlet"
    assert book.scope_of(CORP, "yz", "unionid") == ""
    away = MallBook(Shop(free_port()).corps(), jetstream, sealer)
    with pytest.raises(MallAway):
        await away.who(CORP, "yz", "yz_open_id", "a1")
    await away.close()
    await book.close()
