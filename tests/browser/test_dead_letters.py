"""Dead letters and parked handlers: chosen, replayed, given up, released; the counts are the API's."""

from __future__ import annotations

import re
from typing import Any

import nats
from bihuan.wecom.v1.facts_pb2 import UnknownEventReceived
from playwright.async_api import expect

from chassis.facts import new_fact
from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.conftest import Sit
from tests.waiting import until

SERVICE = "/api/v1/services/identity"
DURABLE = "identity-count-on-unknown-event"


async def break_handler(suite: Suite, corp_id: str, facts: int) -> None:
    """The first ten become letters, and the others are kept."""
    bus = await nats.connect(suite.home.nats_url(suite.ports))
    for number in range(facts):
        fact = new_fact(UnknownEventReceived(), corp_id=corp_id, source="gateway", fact_id=f"in-browser-{number:02}")
        await bus.jetstream().publish(fact.subject, b"\xff\xff", headers=fact.headers)
    await bus.close()


async def letters(admin: Client) -> list[dict[str, Any]]:
    listed = await admin.get(f"{SERVICE}/dead-letters", durable=DURABLE, pageSize="200")
    return list(listed["deadLetters"])


async def test_letters_are_chosen_and_a_parked_handler_goes_on(sit: Sit, admin: Client, suite: Suite) -> None:
    await break_handler(suite, admin.corp_id, 14)

    async def kept() -> list[str]:
        return [one["kept"] for one in (await admin.get(f"{SERVICE}/parked"))["parkedHandlers"]]

    await until(lambda: _equals(kept, ["4"]))
    desk = await sit("ADMIN")
    page = desk.page
    page.on("dialog", lambda dialog: dialog.accept())
    await desk.open(f"/dead-letters?service=identity&durable={DURABLE}")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(len(await letters(admin)))
    counted = (await admin.get(f"{SERVICE}/health"))["openDeadLetters"]
    await expect(page.locator("[data-count=identity]")).to_have_text(counted)
    await page.get_by_label("选中“in-browser-00”").check()
    await page.get_by_label("选中“in-browser-01”").check()
    await expect(page.get_by_text("已选 2 条")).to_be_visible()
    await desk.look("dead-letters-chosen")
    await page.get_by_role("button", name="放弃", exact=True).click()
    await expect(page.get_by_text("已放弃 2 条")).to_be_visible()
    await expect(rows).to_have_count(8)
    await expect(page.locator("[data-count=identity]")).to_have_text(str(int(counted) - 2))
    # What can never be handled need not fail ten at a time.
    parked = page.get_by_role("region", name="被隔离的处理者")
    await parked.get_by_role("button", name="放弃所存").click()
    await expect(parked.get_by_text("已放弃 4 条")).to_be_visible()
    await expect(parked.get_by_text("已存 0 条")).to_be_visible()
    assert await kept() == ["0"]
    await parked.get_by_role("button", name="放行").click()
    await expect(parked).to_have_count(0, timeout=15_000)
    # They are broken still, and come back.
    await page.get_by_role("button", name="重放筛选出的全部").click()
    await expect(page.get_by_text("已重放 8 条")).to_be_visible()
    await until(lambda: _equals(lambda: _number(admin), 8))
    await page.reload()
    await page.get_by_label("选中本页全部").check()
    await expect(page.get_by_text("已选 8 条")).to_be_visible()
    await page.get_by_role("button", name="放弃", exact=True).click()
    await expect(page.get_by_text("已放弃 8 条")).to_be_visible()
    assert await letters(admin) == []


async def test_a_service_that_there_is_not_is_said(sit: Sit) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {404}
    await desk.open("/dead-letters?service=nobody")
    await expect(desk.page.get_by_role("alert")).to_contain_text("筛选条件“服务”有误：应为 客户增长")


async def _number(admin: Client) -> int:
    return len(await letters(admin))


async def _equals(read: Any, wanted: Any) -> bool:
    return bool(await read() == wanted)


async def test_jobs_of_a_service_that_is_away_hide_no_others(sit: Sit) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {503}
    refused = {"type": "about:blank", "title": "x", "status": 503, "detail": "away", "reason": "UNAVAILABLE"}
    await desk.page.route("**/services/commerce/jobs*", lambda route: route.fulfill(status=503, json=refused))
    await desk.open("/jobs")
    await expect(desk.page.get_by_role("alert")).to_contain_text("commerce")
    await expect(desk.page.get_by_text("没有加载成功")).to_have_count(0)


async def test_health_says_what_it_cannot_know_and_leads_to_the_letters(sit: Sit, admin: Client) -> None:
    told = await admin.get("/api/v1/services/acquisition/health")
    away = {**told, "busAway": True, "sources": [{"source": "callback.1000002"}]}
    desk = await sit("ADMIN")
    await desk.page.route("**/services/acquisition/health", lambda route: route.fulfill(json=away))
    await desk.open("/health")
    first = desk.page.locator("section.service").first
    await expect(first.get_by_role("alert")).to_contain_text("NATS")
    await expect(first.get_by_text("现在不知道", exact=True)).to_be_visible()
    await desk.look("health-away")
    await desk.page.locator("section.service").nth(3).get_by_role("link").first.click()
    await expect(desk.page).to_have_url(re.compile("/dead-letters.service=identity$"))
