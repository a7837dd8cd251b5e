"""What those who look after the house do in it: keys, dead letters, jobs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import nats
from bihuan.wecom.v1.facts_pb2 import ContactEdited
from playwright.async_api import Dialog, Page, expect

from chassis.facts import new_fact
from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.conftest import Sit
from tests.browser.test_live import befriended
from tests.waiting import until

LETTER = "broken-in-the-browser"


def agree_once(page: Page) -> None:
    async def accept(dialog: Dialog) -> None:
        await dialog.accept()

    page.once("dialog", accept)


async def test_a_key_is_shown_once_and_revoked(sit: Sit, admin: Client, suite: Suite) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {400}
    await desk.open("/api-keys")
    await desk.page.get_by_role("button", name="新建密钥").click()
    await desk.page.get_by_role("button", name="创建").click()
    await expect(desk.page.get_by_role("alert")).to_be_visible()
    await desk.page.get_by_label("用途").fill("<b>报表</b>")
    await desk.page.get_by_role("button", name="创建").click()
    key = await desk.page.locator("[data-key]").inner_text()
    async with Client(suite, admin.corp_id) as program:
        program.token = key
        assert (await program.get("/api/v1/me"))["role"] == "ROLE_SERVICE"
    await desk.page.get_by_role("button", name="我已保存").click()
    await expect(desk.page.get_by_text(key)).to_have_count(0)
    row = desk.page.get_by_role("row", name="<b>报表</b>")
    agree_once(desk.page)
    await row.get_by_role("button", name="吊销").click()
    await expect(row.get_by_text("已吊销")).to_be_visible()
    async with Client(suite, admin.corp_id) as program:
        program.token = key

        async def is_refused() -> bool:
            return await program.status("/api/v1/me") == 401

        await until(is_refused)
    await desk.look("api-keys")


async def test_a_dead_letter_is_looked_at_replayed_and_given_up(sit: Sit, admin: Client, suite: Suite) -> None:
    fact = new_fact(ContactEdited(), corp_id=admin.corp_id, source="gateway", fact_id=LETTER)
    bus = await nats.connect(suite.home.nats_url(suite.ports))
    await bus.jetstream().publish(fact.subject, b"\xff\xff", headers=fact.headers)
    await bus.close()

    async def waits() -> bool:
        listed = await admin.get("/api/v1/services/identity/dead-letters", pageSize="200")
        return any(one["factId"] == LETTER for one in listed["deadLetters"])

    await until(waits)
    desk = await sit("ADMIN")
    await desk.open("/dead-letters?service=identity")
    await desk.look("dead-letters")
    await desk.page.get_by_role("link", name=LETTER[:18]).click()
    await expect(desk.page.get_by_text("FACT_UNDECODABLE")).to_be_visible()
    await expect(desk.page.get_by_text("原始字节 2 个")).to_be_visible()
    await desk.page.get_by_role("button", name="重放").click()
    await expect(desk.page.get_by_text("已重放 1 条")).to_be_visible()
    await until(waits)  # it is broken still, and comes back
    await desk.page.reload()
    agree_once(desk.page)
    await desk.page.get_by_role("button", name="放弃").click()
    await expect(desk.page.locator("main").get_by_text("已放弃").first).to_be_visible()
    await desk.look("dead-letter")
    assert not await waits()


async def test_an_export_is_a_job_whose_file_is_offered(sit: Sit, admin: Client, tmp_path: Path) -> None:
    desk = await sit("ADMIN")
    await befriended(admin, "browser export", "guide_008")
    await admin.drained(20)
    await desk.open("/customers")
    await desk.page.get_by_role("button", name="导出 CSV").click()
    async with desk.page.expect_download() as saving:
        await desk.page.get_by_role("link", name="下载 CSV").click()
    saved = tmp_path / "customers.csv"
    await (await saving.value).save_as(saved)
    rows = list(csv.reader(io.StringIO(saved.read_text("utf-8-sig"))))
    await desk.open("/jobs?mine=true")
    first = desk.page.get_by_role("row", name="导出客户").first
    await expect(first.get_by_text("已完成")).to_be_visible()
    await expect(first.get_by_role("cell", name=f"{len(rows) - 1} / {len(rows) - 1}")).to_be_visible()
    await expect(first.get_by_role("link", name="下载")).to_be_visible()
    await desk.look("jobs")


async def test_only_an_administrator_is_offered_them(sit: Sit) -> None:
    desk = await sit("OPERATOR")
    await desk.open("/jobs")
    await expect(desk.page.get_by_role("heading", name="任务")).to_be_visible()
    for name in ("死信", "API 密钥", "健康"):
        await expect(desk.page.get_by_role("link", name=name)).to_have_count(0)
    await desk.open("/dead-letters")
    await expect(desk.page.get_by_text("这里需要别的权限")).to_be_visible()
