"""Pages with nothing, with very much, and with names that are no words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.conftest import Sit, keep
from tests.browser.test_live import befriended

MANY = 10_000
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
LONG = "W" * 52


@pytest_asyncio.fixture(loop_scope="session")
async def second_corp(browser: Browser, suite: Suite, others: Client, tmp_path: Path) -> Path:
    """The session of the administrator of a corp in which nothing has happened."""
    return await keep(browser, suite, others.token, tmp_path)


async def test_every_list_says_that_nothing_is_there(sit: Sit, second_corp: Path) -> None:
    desk = await sit(second_corp)
    for path, said in (("/customers", "还没有客户"), ("/orders", "还没有订单"), ("/alerts", "还没有提醒")):
        await desk.open(path)
        await expect(desk.page.locator("main .empty")).to_contain_text(said)
    await desk.look("orders-empty", 390)
    await desk.open("/overview")
    await expect(desk.page.locator("[data-figure=复购率]")).to_contain_text("—")
    await desk.look("overview-empty")


@pytest_asyncio.fixture(loop_scope="session")
async def very_many(suite: Suite, others: Client) -> AsyncIterator[None]:
    """Ten thousand customers of the second corp, while the test lasts."""
    database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "identity"))
    where = "corp_id = $1 and customer_id::text like '00000000-0000-7000-9000-%'"
    try:
        await database.execute(
            """
            insert into identity.customers (corp_id, customer_id)
            select $1, ('00000000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid
            from generate_series(1, $2::int) as n
            """,
            others.corp_id,
            MANY,
        )
        yield
    finally:
        await database.execute(f"delete from identity.customers where {where}", others.corp_id)
        await database.close()


@pytest.mark.usefixtures("very_many")
async def test_ten_thousand_customers_are_paged(sit: Sit, second_corp: Path, others: Client) -> None:
    listed = await others.get("/api/v1/customers", pageSize="50")
    following = await others.get("/api/v1/customers", pageSize="50", pageToken=listed["nextPageToken"])
    desk = await sit(second_corp)
    await desk.open("/customers")
    rows = desk.page.locator("tbody tr")
    for page in (listed, following):
        await expect(rows.first.locator("a")).to_have_attribute(
            "href", re.compile(page["customers"][0]["customerId"] + "$")
        )
        await expect(rows).to_have_count(50)
        await desk.page.get_by_role("button", name="下一页").click()
    await desk.page.go_back()
    await expect(rows.first.locator("a")).to_have_attribute(
        "href", re.compile(following["customers"][0]["customerId"] + "$")
    )


async def test_names_that_have_no_end_fit_and_scripts_are_text(sit: Sit, admin: Client) -> None:
    """A script that ran, or that the policy stopped, would be an error in the console."""
    # Others make channels of such names, too.
    long, script = LONG + token_hex(4), SCRIPT[:52] + token_hex(4)
    channels = {name: (await admin.post("/api/v1/channels", {"name": name}))["channel"] for name in (long, script)}
    made = []
    for name, channel in channels.items():
        body = {"channelId": channel["channelId"], "name": name[:29], "userids": ["guide_003"]}
        made.append((await admin.post("/api/v1/live-codes", body))["liveCode"])
    link = {"title": SCRIPT[:40], "url": "https://example.com/" + "a" * 200, "description": SCRIPT}
    body = {"channelId": channels[script]["channelId"], "text": SCRIPT + " 您好", "link": link}
    rule = (await admin.post("/api/v1/welcome-rules", body))["welcomeRule"]
    desk = await sit("OPERATOR")
    for path, texts, name in (
        ("/channels", (long, script), "channels-long"),
        (f"/channels/{channels[long]['channelId']}", (long,), "channel-long"),
        ("/live-codes", (long[:29], script[:29]), "live-codes-long"),
        (f"/live-codes/{made[1]['liveCodeId']}", (script[:29],), "live-code-long"),
        ("/welcome-rules", (SCRIPT,), "welcome-rules-long"),
    ):
        await desk.open(path)
        for text in texts:
            await expect(desk.page.locator("main").get_by_text(text).locator("visible=true").first).to_be_visible()
        await desk.look(name, 390)
    await desk.open(f"/welcome-rules/{rule['welcomeRuleId']}")
    await expect(desk.page.get_by_label("欢迎语", exact=False).first).to_have_value(body["text"])
    assert rule["text"] == body["text"]
    assert rule["link"]["description"] == SCRIPT


async def test_a_customer_whose_name_is_a_script_has_it_shown(sit: Sit, admin: Client, suite: Suite) -> None:
    friend = await befriended(admin, "browser script", "guide_000")
    await admin.drained(30)
    assert friend["name"]
    desk = await sit("FRONTLINE")

    async def rename(route: object) -> None:
        answer = await route.fetch()  # type: ignore[attr-defined]
        body = await answer.json()
        for one in body["customers"]:
            one["name"] = SCRIPT
        await route.fulfill(response=answer, json=body)  # type: ignore[attr-defined]

    await desk.page.route("**/api/v1/customers?*", rename)
    await desk.open("/customers")
    await expect(desk.page.get_by_role("link", name=SCRIPT).first).to_be_visible()
