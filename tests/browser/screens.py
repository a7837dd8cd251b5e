"""Takes the pictures that the READMEs show, of a suite through which a part of the purchase log went.

python -m tests.browser.screens
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, Page

from deploy.local.client import Client
from deploy.local.home import Home, Ports
from deploy.local.story import SHANGHAI, replay, set_up
from deploy.local.suite import Suite
from tests.browser.browser import launch
from tests.conftest import ROOT, free_port_base

FOLDER = ROOT / "docs" / "screens"
BUYERS = 600
SEED = 7
WIDTH = 1200
# They are kept in the repository for good.
MOST_BYTES = 150_000
# The log has most of its life in its first weeks; these many days, after those many, make a picture.
SHOWN_DAYS = 12
BEFORE_DAYS = 9


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bihuan-screens-") as folder:
        suite = Suite(Home(Path(folder) / "home"), Ports(free_port_base()))
        try:
            suite.up(empty=True)
            async with Client(suite, suite.home.keys["corp_id"]) as client, launch(Path(folder)) as browser:
                await replay(client, await set_up(client), buyers=BUYERS, seed=SEED)
                await take(browser, suite, client)
        finally:
            suite.down()


async def take(browser: Browser, suite: Suite, client: Client) -> None:
    context = await browser.new_context(locale="zh-CN", reduced_motion="reduce")
    await context.add_cookies([{"name": "bihuan_session", "value": client.token, "url": suite.gateway}])
    page = await context.new_page()
    first = await first_busy_day(client)
    last = first + timedelta(days=SHOWN_DAYS - 1)
    code = (await client.get("/api/v1/live-codes", pageSize="1"))["liveCodes"][0]
    for name, height, path in (
        ("overview", 880, f"/overview?from={first}&to={last}"),
        ("customer", 800, f"/customers/{await best_customer(client)}"),
        ("live-code", 480, f"/live-codes/{code['liveCodeId']}"),
    ):
        await page.set_viewport_size({"width": WIDTH, "height": height})
        await page.goto(f"{suite.gateway}/console{path}")
        await shoot(page, name)
    await context.close()


async def first_busy_day(client: Client) -> date:
    """Of the days whose sales a report can still tell, the first with some, and a while of it."""
    today = datetime.now(UTC).astimezone(SHANGHAI).date()
    for back in (799, 399):
        begin = today - timedelta(days=back)
        report = await client.get(
            "/api/v1/reports/sales",
            by="DIMENSION_DAY",
            firstDay=begin.isoformat(),
            lastDay=(begin + timedelta(days=399)).isoformat(),
        )
        sold = [date.fromisoformat(row["key"]) for row in report["rows"] if row["paidOrders"] != "0"]
        if sold:
            return sold[0] + timedelta(days=BEFORE_DAYS)
    raise RuntimeError("the log sold nothing")


async def best_customer(client: Client) -> str:
    customers = [one async for one in client.each("/api/v1/customers", "customers")]
    return str(max(customers, key=lambda one: (int(one["paidOrders"]) <= 12, int(one["paidOrders"])))["customerId"])


async def shoot(page: Page, name: str) -> None:
    await page.locator("main :is(h1, h2)").first.wait_for()
    await page.locator("[data-state=live]").wait_for()
    await page.locator("main .loading").first.wait_for(state="detached")
    await page.wait_for_timeout(1_000)  # charts have come
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.png"
    await page.screenshot(path=file)
    if file.stat().st_size > MOST_BYTES:
        raise RuntimeError(f"{file}: {file.stat().st_size} bytes, at most {MOST_BYTES}")
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    asyncio.run(main())
