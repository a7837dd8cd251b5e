"""An employee's phone: my alerts, my customers, and the link in an app message."""

from __future__ import annotations

import re

from playwright.async_api import expect

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.conftest import Sit
from tests.browser.test_live import befriended
from tests.browser.wecom import OPTIONS
from tests.waiting import until

PHONE = 390


async def test_an_order_appears_among_my_alerts_and_leads_to_its_customer(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "phone alerts", "guide_000")
    desk = await sit("FRONTLINE")
    await desk.open("/phone")
    await expect(desk.page.locator("[data-state=live]")).to_be_visible()
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "66.00"})
    row = desk.page.locator("li", has_text=order["order_id"])
    await expect(row).to_be_visible(timeout=20_000)
    await expect(desk.page.get_by_role("heading", level=2).first).to_have_text("今天")
    await desk.look("phone-alerts", PHONE)
    await row.get_by_role("link").click()
    await expect(desk.page.get_by_role("heading", name=friend["name"])).to_be_visible()
    await expect(desk.page.get_by_role("link", name=order["order_id"])).to_be_visible()
    await desk.look("phone-customer", PHONE)


async def test_my_customers_are_those_the_api_says(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "phone customers", "guide_000")
    await admin.drained(20)
    listed = (await admin.get("/api/v1/customers", userid="guide_000", pageSize="50"))["customers"]
    desk = await sit("FRONTLINE")
    await desk.open("/phone/customers")
    await expect(desk.page.locator("main li")).to_have_count(len(listed))
    await desk.look("phone-customers", PHONE)
    await desk.page.get_by_role("searchbox").fill(friend["name"])
    await desk.page.get_by_role("button", name="查找").click()
    named = [one for one in listed if one["name"].startswith(friend["name"])]
    await expect(desk.page.locator("main li")).to_have_count(len(named))
    await desk.page.get_by_role("searchbox").fill("没有这个人")
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.get_by_text("没有找到")).to_be_visible()
    await desk.page.get_by_role("searchbox").fill("")
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.locator("main li")).to_have_count(len(listed))
    await desk.page.locator("li", has_text=friend["name"]).first.get_by_role("link").click()
    await expect(desk.page.get_by_role("heading", name=friend["name"])).to_be_visible()
    await desk.page.go_back()
    await expect(desk.page.locator("main li")).to_have_count(len(listed))


async def test_an_app_messages_link_opens_the_customer_through_sign_in(sit: Sit, admin: Client, suite: Suite) -> None:
    friend = await befriended(admin, "phone link", "guide_000")
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "77.00"})

    async def told() -> list[str]:
        return [one for one in await admin.received_messages() if order["order_id"] in one]

    (message,) = await until(told)
    (line,) = [line for line in message.splitlines() if order["order_id"] in line]
    (address,) = re.findall(r'<a href="([^"]+)">', line)
    assert address.startswith(f"{suite.gateway}/console/phone/contacts/")
    desk = await sit(**OPTIONS)
    desk.expected |= {401}
    await desk.page.goto(address)
    await desk.page.get_by_text(admin.corp_id).click()
    await desk.page.get_by_role("button", name="企业微信登录").click()
    await desk.page.locator(".offered a", has_text="一线员工").click()
    await expect(desk.page.get_by_role("heading", name=friend["name"])).to_be_visible()
    assert desk.page.url == address


async def test_a_foreign_customer_is_not_there_by_url(sit: Sit, admin: Client) -> None:
    foreign = await befriended(admin, "phone foreign", "guide_001")
    await admin.drained(20)
    customer = (await admin.get(f"/api/v1/contacts/{foreign['external_userid']}/customer"))["customer"]
    contact_id = next(one["identifierId"] for one in customer["identifiers"] if one["kind"] == "external_userid")
    stranger = await sit("FRONTLINE")
    stranger.expected |= {404}
    for path in (f"/phone/contacts/{contact_id}", f"/phone/customers/{customer['customerId']}"):
        await stranger.open(path)
        await expect(stranger.page.get_by_text("还看不到这位客户")).to_be_visible()
        await expect(stranger.page.get_by_text(foreign["name"])).to_have_count(0)


async def test_a_session_that_ends_leads_to_sign_in_and_back(sit: Sit, admin: Client) -> None:
    desk = await sit()
    desk.expected |= {401}
    await desk.open("/phone/customers")
    await desk.page.get_by_text(admin.corp_id).click()
    await desk.page.get_by_role("button", name="企业微信登录").click()
    await desk.page.locator(".offered a", has_text="一线员工").click()
    await expect(desk.page.get_by_role("heading", name="我的客户")).to_be_visible()
    assert desk.page.url.endswith("/console/phone/customers")
    # Ended elsewhere: said, and back to the same page.
    await desk.page.evaluate("fetch('/auth/logout', {method: 'POST'})")
    await desk.page.get_by_role("searchbox").fill("王")
    await desk.page.get_by_role("button", name="查找").click()
    await expect(desk.page.get_by_text("登录已失效")).to_be_visible()
    await desk.page.get_by_role("button", name="企业微信登录").click()
    await desk.page.locator(".offered a", has_text="一线员工").click()
    await expect(desk.page.get_by_role("searchbox")).to_have_value("王")
