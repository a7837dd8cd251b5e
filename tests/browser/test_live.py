"""What happens outside appears in open pages by itself."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Sit


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


async def test_the_clock_of_the_browser_may_be_an_hour_off(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser clock", "guide_000")
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "5.00"})
    desk = await sit("FRONTLINE")
    await desk.page.add_init_script("const now = Date.now; Date.now = () => now() - 3600e3")
    await desk.open("/alerts")
    row = desk.page.locator("tbody tr", has_text=order["order_id"])
    await expect(row).to_be_visible()
    await expect(row.locator("time")).not_to_contain_text("小时")
