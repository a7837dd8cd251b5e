"""Somebody at a browser: `desk("ADMIN")` is signed in; whatever the console logs as an error fails the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.browser import axe_source, launch
from tests.conftest import ROOT

SCREENS = ROOT / ".build" / "screens"
WIDTHS = (1440, 390)
HEIGHT = 900
# Who signs in as what; the sandbox's page offers them by these names.
PEOPLE = {"ADMIN": "管理员", "OPERATOR": "运营", "MANAGER": "部门主管", "FRONTLINE": "一线员工"}
# The sandbox's page does not offer one: an administrator makes this employee one.
ANALYST = "guide_190"
# Chromium's own line about every answer from 400 on.
REFUSED = "Failed to load resource: the server responded with a status of "
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
expect.set_options(timeout=10_000)


@dataclass
class Desk:
    """One page of one person. `expected`: statuses that the test provokes; `lost_connection`: it cuts the way."""

    page: Page
    gateway: str
    expected: set[int] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    lost_connection: bool = False

    def listen(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        text = message.text
        provoked = text.startswith(REFUSED) and int(text.removeprefix(REFUSED)[:3]) in self.expected
        provoked = provoked or (self.lost_connection and "net::ERR_" in text)
        if message.type in ("error", "warning") and not provoked:
            self.errors.append(f"{message.type}: {text}")

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.gateway}/console{path}")

    async def look(self, name: str, *widths: int) -> None:
        """A picture at each width, and axe's word on it."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        for width in widths or WIDTHS:
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
            await self.page.evaluate("scrollTo(0, 0)")
            await self.page.wait_for_timeout(350)  # what slides in has come to rest
            await self.page.screenshot(path=SCREENS / f"{name}-{width}.png", full_page=True)
            assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{name} {width}: wide"
            )
            await self._check(f"{name} at {width}")
        await self.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})

    async def _check(self, where: str) -> None:
        await self.page.evaluate(axe_source())
        found: dict[str, Any] = await self.page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", STANDARDS
        )
        said = [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"][:3]
        ]
        assert said == [], where


Sit = Callable[..., Awaitable[Desk]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with launch(tmp_path_factory.mktemp("browser")) as launched:
        yield launched


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sessions(browser: Browser, suite: Suite, admin: Client, tmp_path_factory: Any) -> dict[str, Path]:
    """Each role signed in once, by hand; the analyst, whom the sandbox's page does not offer, without it."""
    kept = {}
    for role in PEOPLE:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{suite.gateway}/console/")
        await sign_in(page, role, admin.corp_id)
        kept[role] = tmp_path_factory.mktemp("session") / f"{role}.json"
        await context.storage_state(path=kept[role])
        await context.close()
    await admin.put(f"/api/v1/staff/{ANALYST}/role", {"role": "ROLE_ANALYST"})
    async with Client(suite, admin.corp_id) as analyst:
        kept["ANALYST"] = await keep(browser, suite, await analyst.sign_in(ANALYST), tmp_path_factory.mktemp("session"))
    return kept


async def keep(browser: Browser, suite: Suite, token: str, folder: Path) -> Path:
    """A session as a browser keeps it."""
    context = await browser.new_context()
    await context.add_cookies([{"name": "bihuan_session", "value": token, "url": suite.gateway}])
    await context.storage_state(path=folder / "session.json")
    await context.close()
    return folder / "session.json"


async def sign_in(page: Page, role: str, corp_id: str) -> None:
    """From our sign-in page, by the sandbox's, to where it leads."""
    await page.get_by_text(corp_id).click()
    await page.get_by_role("button", name="企业微信登录").click()
    await page.locator(".offered a", has_text=PEOPLE[role]).click()
    await expect(page.get_by_role("navigation", name="主导航")).to_be_attached()


@pytest_asyncio.fixture(loop_scope="session")
async def sit(browser: Browser, suite: Suite, sessions: dict[str, Path]) -> AsyncIterator[Sit]:
    """`await sit("ADMIN")`: a desk, also with a session that was kept; without, somebody whom nobody knows yet."""
    desks: list[Desk] = []
    async with AsyncExitStack() as stack:

        async def make(role: str | Path | None = None, **options: Any) -> Desk:
            context: BrowserContext = await browser.new_context(
                viewport={"width": WIDTHS[0], "height": HEIGHT},
                locale="zh-CN",
                storage_state=sessions[role] if isinstance(role, str) else role,
                reduced_motion="reduce",
                **options,
            )
            stack.push_async_callback(context.close)
            desk = Desk(await context.new_page(), suite.gateway)
            desk.listen()
            desks.append(desk)
            return desk

        yield make
        assert [error for desk in desks for error in desk.errors] == []
