"""Each role at the pages that it may see, and at those that it may not. The table itself: tests/contract."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.conftest import ANALYST, Sit
from tests.browser.test_live import befriended
from tests.contract.test_console_pages import pages

ROLES = ("ADMIN", "OPERATOR", "ANALYST", "MANAGER", "FRONTLINE")
# They lead to another page's name, or have their own tests.
PLAIN = [path for path, _ in pages() if ":" not in path]


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_sees_its_pages_and_is_refused_nothing_there(sit: Sit, role: str) -> None:
    """A refused call, an error in the console or one of the policy fails the test by itself."""
    desk = await sit(role)
    await desk.open("/")
    links = desk.page.locator("nav a")
    await expect(links.first).to_be_visible()
    own = {path for (path, _), roles in pages().items() if role in roles}
    shown = [re.sub(r".*/console", "", await link.evaluate("one => one.href")) for link in await links.all()]
    assert set(shown) <= own, "what a role may not do is not shown"
    assert {path for path in own if ":" not in path and not path.endswith("/new")} == set(shown)
    for number in range(len(shown)):
        await links.nth(number).click()
        await expect(links.nth(number)).to_have_attribute("aria-current", "page")
        await expect(desk.page.locator("main h1")).to_be_visible()
        await expect(desk.page.locator("main [role=status][aria-label=加载中]")).to_have_count(0)
        await expect(desk.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("role", ROLES)
async def test_a_kept_link_to_a_page_of_others_is_refused_and_said(sit: Sit, role: str) -> None:
    foreign = [path for (path, _), roles in pages().items() if role not in roles and ":" not in path]
    desk = await sit(role)
    for path in foreign[:2]:
        await desk.open(path)
        await expect(desk.page.get_by_text("这里需要别的权限")).to_be_visible()


async def test_an_analyst_reads_masked_names(sit: Sit, admin: Client, suite: Suite) -> None:
    friend = await befriended(admin, "browser masked", "guide_000")
    await admin.drained(30)
    customer = (await admin.get(f"/api/v1/contacts/{friend['external_userid']}/customer"))["customer"]
    async with Client(suite, admin.corp_id) as analyst:
        await analyst.sign_in(ANALYST)
        masked = (await analyst.get(f"/api/v1/customers/{customer['customerId']}"))["customer"]["name"]
    assert masked != customer["name"]
    desk = await sit("ANALYST")
    await desk.open(f"/customers/{customer['customerId']}")
    await expect(desk.page.get_by_role("heading", name=masked)).to_be_visible()
    for text in (customer["name"], friend["external_userid"]):
        await expect(desk.page.get_by_text(text)).to_have_count(0)
    await desk.look("customer-masked", 1440)
    await desk.open("/customers")
    await expect(desk.page.get_by_role("link", name=masked).first).to_be_visible()
    await expect(desk.page.get_by_text(customer["name"])).to_have_count(0)
