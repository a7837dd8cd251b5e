"""Customers and their orders: each person sees their own, and what happens appears by itself."""

from __future__ import annotations

from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Sit
from tests.browser.test_live import befriended


async def test_an_order_appears_on_the_open_card_of_its_customer(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser card", "guide_000")
    await admin.drained(20)
    external_userid = friend["external_userid"]
    found = await admin.get(f"/api/v1/contacts/{external_userid}/customer")
    desk = await sit("FRONTLINE")
    await desk.open(f"/customers/{found['customer']['customerId']}")
    await expect(desk.page.get_by_text("没有订单")).to_be_visible()
    order = await admin.sandbox("/sandbox/order", {"external_userid": external_userid, "yuan": "1288.50"})
    link = desk.page.get_by_role("link", name=order["order_id"])
    await expect(link).to_be_visible(timeout=20_000)
    await expect(desk.page.locator("main").get_by_text("¥1,288.50").first).to_be_visible()
    await desk.look("customer")
    await link.click()
    await expect(desk.page.get_by_role("heading", name=order["order_id"])).to_be_visible()
    await expect(desk.page.get_by_role("heading", name="归属员工 guide_000")).to_be_visible()
    await desk.look("order")
    await desk.open("/orders")
    await expect(desk.page.get_by_role("link", name=order["order_id"])).to_be_visible()
    await desk.look("orders")
    await desk.open("/customers")
    await expect(desk.page.locator("tbody tr").first).to_be_visible()
    await desk.look("customers")


async def test_a_foreign_customer_and_order_are_not_there_by_url(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser foreign", "guide_009")
    order = await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "5.00"})
    await admin.drained(20)
    customer_id = (await admin.get(f"/api/v1/contacts/{friend['external_userid']}/customer"))["customer"]["customerId"]
    (known,) = (await admin.get("/api/v1/orders", customerId=customer_id))["orders"]
    assert known["orderId"] == order["order_id"]
    desk = await sit("FRONTLINE")
    desk.expected |= {404}
    for path in (f"/customers/{customer_id}", f"/orders/{known['mallId']}/{known['orderId']}"):
        await desk.open(path)
        await expect(desk.page.get_by_role("alert")).to_be_visible()
        await expect(desk.page.get_by_text("¥5.00")).to_have_count(0)


async def test_one_employees_customers_are_asked_for_by_the_address(sit: Sit, admin: Client) -> None:
    await befriended(admin, "browser filter", "guide_008")
    await admin.drained(20)
    listed = await admin.get("/api/v1/customers", userid="guide_008")
    desk = await sit("ADMIN")
    await desk.open("/customers?userid=guide_008")
    await expect(desk.page.locator("tbody tr")).to_have_count(len(listed["customers"]))
    await expect(desk.page.locator("tbody tr").first).to_contain_text("guide_008")


async def test_health_says_when_each_source_last_came(sit: Sit, admin: Client) -> None:
    await befriended(admin, "browser health", "guide_007")
    desk = await sit("ADMIN")
    await desk.open("/health")
    for service in ("acquisition", "engagement", "commerce", "identity"):
        await expect(desk.page.get_by_role("heading", name=service)).to_be_visible()
    await expect(desk.page.get_by_text("断开")).to_have_count(0)
    await expect(desk.page.get_by_text("回调", exact=False).first).to_be_visible()
    await desk.look("health")
