"""What happens outside appears in open pages by itself."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.conftest import Sit
from tests.browser.proxy import proxied


async def befriended(admin: Client, person: str, userid: str) -> dict[str, Any]:
    state = admin.codes.states[1]  # type: ignore[attr-defined]
    return await admin.sandbox("/sandbox/scan", {"state": state, "userid": userid, "person": person})


async def test_an_order_appears_in_every_open_tab_of_its_employee(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser live", "guide_000")
    desk = await sit("FRONTLINE")
    streams: list[str] = []
    desk.page.context.on("request", lambda one: streams.append(one.url) if "/api/v1/stream" in one.url else None)
    await desk.open("/alerts")
    other = await desk.page.context.new_page()
    await other.goto(desk.page.url)
    for page in (desk.page, other):
        await expect(page.locator("[data-state=live]")).to_be_visible()
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "1288.50"})
    for page in (desk.page, other):
        row = page.locator("tbody tr", has_text=order["order_id"])
        await expect(row).to_be_visible()
        await expect(row).to_contain_text("¥1288.50")
    assert len(streams) == 1, "one stream for all tabs"
    await desk.look("alerts")
    # The tab that read the stream goes; the other one takes over.
    await desk.page.close()
    again = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "9.90"})
    await expect(other.locator("tbody tr", has_text=again["order_id"])).to_be_visible()
    assert len(streams) == 2
    assert "lastEventId=" in streams[1], "it goes on behind the last event that was heard"


async def test_a_stream_that_does_not_get_through_is_said_and_polled(sit: Sit) -> None:
    desk = await sit("FRONTLINE")
    desk.expected |= {502}
    await desk.page.route("**/api/v1/stream*", lambda route: route.fulfill(status=502))
    await desk.open("/alerts")
    await expect(desk.page.locator("[data-state=polling]")).to_have_text("每 15 秒刷新")


async def test_a_stream_that_is_held_back_is_said_and_the_page_moves_all_the_same(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser held", "guide_000")
    desk = await sit("FRONTLINE")
    await desk.page.clock.install()
    held = []
    # A proxy that waits for the end of an answer: it never comes.
    await desk.page.route("**/api/v1/stream*", lambda route: held.append(route))
    await desk.open("/alerts")
    await expect(desk.page.locator("[data-state=connecting]")).to_be_visible()
    await desk.page.clock.fast_forward(9_000)
    await expect(desk.page.locator("[data-state=polling]")).to_have_text("每 15 秒刷新")
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "17.00"})
    await admin.drained(30)
    await expect(desk.page.get_by_text(order["order_id"])).to_have_count(0)
    await desk.page.clock.fast_forward(16_000)
    await expect(desk.page.locator("tbody tr", has_text=order["order_id"])).to_be_visible()


async def test_a_stream_that_was_cut_goes_on_without_a_loss(sit: Sit, admin: Client, suite: Suite) -> None:
    friend = await befriended(admin, "browser cut", "guide_000")
    desk = await sit("FRONTLINE")
    badge = desk.page.locator("[data-state]")
    body = {"external_userid": friend["external_userid"], "yuan": "21.00"}
    async with proxied(suite.gateway) as proxy:
        desk.lost_connection = True
        desk.gateway = proxy.url
        await desk.page.clock.install()
        await desk.open("/alerts")
        await expect(badge).to_have_attribute("data-state", "live")
        # For a moment: the browser comes back by itself, behind the last event.
        proxy.cut()
        order = await admin.sandbox("/sandbox/order", body)
        await admin.drained(30)
        proxy.mend()
        await expect(desk.page.locator("tbody tr", has_text=order["order_id"])).to_be_visible()
        # For longer: the page says so, and it is live again when the way is.
        proxy.cut()
        order = await admin.sandbox("/sandbox/order", body)
        await admin.drained(30)
        await desk.page.clock.fast_forward(9_000)
        await expect(badge).to_have_attribute("data-state", "polling")
        await expect(desk.page.get_by_text(order["order_id"])).to_have_count(0)
        proxy.mend()
        await desk.page.clock.fast_forward(61_000)
        await expect(badge).to_have_attribute("data-state", "live")
        await expect(desk.page.locator("tbody tr", has_text=order["order_id"])).to_be_visible()
        await desk.page.close()


@pytest.mark.parametrize("role", ["OPERATOR", "MANAGER", "ANALYST"])
async def test_the_alerts_of_others_appear_without_a_reload(sit: Sit, admin: Client, role: str) -> None:
    friend = await befriended(admin, f"browser {role}", "guide_000")
    desk = await sit(role)
    await desk.page.clock.install()  # nothing is polled: its time stands still
    await desk.open("/alerts")
    await expect(desk.page.locator("[data-state=live]")).to_be_visible()
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "33.00"})
    row = desk.page.locator("tbody tr", has_text=order["order_id"])
    await expect(row).to_be_visible()


async def test_the_clock_of_the_browser_may_be_an_hour_off(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser clock", "guide_000")
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "5.00"})
    desk = await sit("FRONTLINE")
    await desk.page.add_init_script("const now = Date.now; Date.now = () => now() - 3600e3")
    await desk.open("/alerts")
    row = desk.page.locator("tbody tr", has_text=order["order_id"])
    await expect(row).to_be_visible()
    await expect(row.locator("time")).not_to_contain_text("小时")
