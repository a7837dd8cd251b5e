"""Signed pages: our signatures before the sandbox's client, and the sandbox's tickets before a stranger's SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.js import JetStreamContext
from wechatpy.exceptions import WeChatClientException

from chassis.errors import Invalid, Precondition, Unavailable
from chassis.kernel.corps import Corps
from chassis.sealing import Sealer
from chassis.wecom import tickets
from chassis.wecom.client import WeComs
from chassis.wecom.tickets import Tickets
from identity.app.pages import PageSigning, SignedPage
from tests.contract.sandbox.conftest import Platform, sdk_of

SIDEBAR = "/console/sidebar?from=chat"


class Signing:
    """Two replicas of ours."""

    def __init__(self, platform: Platform, js: JetStreamContext, sealer: Sealer) -> None:
        self._corp_id, self.page = platform.keys["corp_id"], platform.site + SIDEBAR
        self._wecoms = [WeComs(js, sealer, Corps.load(platform.home.corps_file)) for _ in range(2)]
        self._replicas = [PageSigning(Tickets(js, sealer, one), platform.site) for one in self._wecoms]

    async def sign(self, url: str = "", refused: tuple[str, ...] = (), *, replica: int = 0) -> SignedPage:
        return await self._replicas[replica].sign(self._corp_id, url or self.page, refused)

    async def close(self) -> None:
        for one in self._wecoms:
            await one.close()


@pytest.fixture(name="signing")
async def make_signing(platform: Platform, jetstream: JetStreamContext, sealer: Sealer) -> AsyncIterator[Signing]:
    signing = Signing(platform, jetstream, sealer)
    yield signing
    await signing.close()


async def asked(platform: Platform) -> list[str]:
    """The calls for tickets, by name."""
    calls = (await platform.ask("/sandbox/calls"))["calls"]
    return sorted(one["api"] for one in calls if one["api"] in ("get_jsapi_ticket", "ticket/get"))


async def verified(platform: Platform, signed: SignedPage, page: str) -> tuple[str, str]:
    """What the client says to config and to agentConfig."""
    async with platform.session.get(platform.chat + "/") as answer:
        seat = answer.cookies["client_seat"].value
    corp_id, answers = platform.keys["corp_id"], []
    config, agent = signed.config, signed.agent_config
    calls: list[tuple[str, dict[str, Any]]] = [
        (
            "preVerifyJSAPI",
            {
                "verifyAppId": corp_id,
                "verifyNonceStr": config.nonce,
                "verifyTimestamp": str(config.timestamp),
                "verifySignature": config.signature,
            },
        ),
        (
            "agentConfig",
            {
                "corpid": corp_id,
                "agentid": str(signed.agent_id),
                "nonceStr": agent.nonce,
                "timestamp": str(agent.timestamp),
                "signature": agent.signature,
            },
        ),
    ]
    for name, told in calls:
        body = {"name": name, "told": told, "url": page.replace(platform.site, platform.chat), "configured": False}
        async with platform.session.post(
            platform.chat + "/client/invoke", json=body, headers={"Cookie": f"client_seat={seat}"}
        ) as answer:
            answers.append((await answer.json())["err_msg"].partition(":")[2])
    return answers[0], answers[1]


async def test_a_page_is_signed_as_the_corp_and_as_the_app(platform: Platform, signing: Signing) -> None:
    signed = await signing.sign(signing.page + "#part")
    assert await verified(platform, signed, signing.page) == ("ok", "ok")
    assert await verified(platform, signed, signing.page + "&more=1") == ("fail_invalid signature",) * 2
    again, other = await signing.sign(), await signing.sign(replica=1)
    assert await verified(platform, other, signing.page) == ("ok", "ok")
    assert again.config.nonce != signed.config.nonce
    assert again.config.ticket_id == other.config.ticket_id != signed.agent_config.ticket_id
    assert await asked(platform) == ["get_jsapi_ticket", "ticket/get"], "one of each for all replicas"


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "https://evil.example/console/",
        "{site}.evil.example/",
        "{site}@evil.example/",
        "{site}",
        "{site}/a b",
        "{site}/门",
    ],
)
async def test_no_other_page_is_signed(platform: Platform, signing: Signing, foreign: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await signing.sign(foreign.format(site=platform.site) or "/console/sidebar")
    assert refusal.value.field == "url"
    assert await asked(platform) == []


async def test_who_does_not_know_where_our_pages_are_signs_none(
    platform: Platform, jetstream: JetStreamContext, sealer: Sealer
) -> None:
    wecoms = WeComs(jetstream, sealer, Corps.load(platform.home.corps_file))
    with pytest.raises(Precondition) as refusal:
        await PageSigning(Tickets(jetstream, sealer, wecoms), "").sign(platform.keys["corp_id"], platform.site + "/")
    assert refusal.value.reason == "PUBLIC_URL_UNKNOWN"


async def test_a_refused_ticket_is_fetched_anew_and_not_again_and_again(
    platform: Platform, signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await platform.faults(wrong_ticket=1)
    wrong = await signing.sign()
    assert await verified(platform, wrong, signing.page) == ("fail_invalid signature",) * 2
    refused = (wrong.config.ticket_id, wrong.agent_config.ticket_id)
    assert (await signing.sign()).config.ticket_id == wrong.config.ticket_id, "nobody has complained"
    await platform.faults(wrong_ticket=0)
    for _ in range(3):
        mended = await signing.sign(refused=refused)
        assert await verified(platform, mended, signing.page) == ("ok", "ok")
    assert (await signing.sign(refused=refused, replica=1)).config.ticket_id == mended.config.ticket_id
    assert len(await asked(platform)) == 4
    still = (mended.config.ticket_id, mended.agent_config.ticket_id)
    for _ in range(3):
        assert (await signing.sign(refused=still)).config.ticket_id == still[0], "one renewal in three minutes"
    assert len(await asked(platform)) == 4
    monkeypatch.setattr(tickets, "RENEWED_AFTER_SECONDS", 0.0)
    await signing.sign(refused=still)
    assert len(await asked(platform)) == 6


async def test_wecoms_refusals_say_whether_to_try_again(platform: Platform, signing: Signing) -> None:
    for faults, refusal, reason in (
        ({"busy": 1.0}, Unavailable, "WECOM_BUSY"),
        ({"busy": 0.0, "http_5xx": 1.0}, Unavailable, "WECOM_AWAY"),
        ({"http_5xx": 0.0, "app_tickets_per_hour": 0}, Unavailable, "WECOM_BUSY"),
    ):
        await platform.faults(**faults)
        with pytest.raises(refusal) as caught:
            await signing.sign()
        assert caught.value.reason == reason


async def test_an_app_that_may_not_is_told_so(platform: Platform, signing: Signing) -> None:
    await platform.control("/sandbox/app", {"agent_id": 1000002, "trusted": False})
    with pytest.raises(Precondition) as caught:
        await signing.sign()
    assert (caught.value.reason, "60020" in caught.value.message) == ("TICKET_REFUSED", True)


async def test_a_strangers_sdk_gets_the_same_ticket_inside_its_validity(platform: Platform) -> None:
    sdk = sdk_of(platform)
    first = await asyncio.to_thread(sdk.jsapi.get_ticket)
    assert {"ticket": first["ticket"], "errcode": 0} == {
        name: value
        for name, value in (await asyncio.to_thread(sdk.jsapi.get_ticket)).items()
        if name in ("ticket", "errcode")
    }
    assert 7190 <= first["expires_in"] <= 7200
    with pytest.raises(WeChatClientException):
        await asyncio.to_thread(sdk.get, "ticket/get", params={"type": "jsapi"})
    await platform.faults(app_tickets_per_hour=2)
    with pytest.raises(WeChatClientException) as refusal:
        await asyncio.to_thread(sdk.jsapi.get_ticket)
    assert refusal.value.errcode == 45009
