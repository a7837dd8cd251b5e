"""Lists: the same rows as the API, filters in the address, and nonsense said."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Sit


async def test_the_staff_list_is_the_apis(sit: Sit, admin: Client, tmp_path: Path) -> None:
    desk = await sit("ADMIN")
    await desk.open("/staff")
    rows = desk.page.locator("tbody tr")
    await expect(rows).to_have_count(50)
    await desk.look("staff")
    listed = await admin.get("/api/v1/staff", pageSize="50")
    assert await desk.page.locator("tbody td:nth-child(2)").all_inner_texts() == [
        one["userid"] for one in listed["staff"]
    ]
    await desk.page.get_by_role("button", name="下一页").click()
    following = await admin.get("/api/v1/staff", pageSize="50", pageToken=listed["nextPageToken"])
    await expect(desk.page.locator("tbody td:nth-child(2)").first).to_have_text(following["staff"][0]["userid"])
    await desk.page.reload()
    await expect(desk.page.locator("tbody td:nth-child(2)").first).to_have_text(following["staff"][0]["userid"])
    await desk.page.get_by_role("button", name="上一页").click()
    await expect(desk.page.locator("tbody td:nth-child(2)").first).to_have_text(listed["staff"][0]["userid"])


async def test_the_whole_list_is_exported(sit: Sit, admin: Client, tmp_path: Path) -> None:
    desk = await sit("ADMIN")
    await desk.open("/staff")
    async with desk.page.expect_download() as started:
        await desk.page.get_by_role("button", name="导出 CSV").click()
    saved = tmp_path / "staff.csv"
    await (await started.value).save_as(saved)
    rows = list(csv.reader(io.StringIO(saved.read_text("utf-8-sig"))))
    assert rows[0][:2] == ["姓名", "账号"]
    assert [row[1] for row in rows[1:]] == [one["userid"] async for one in admin.each("/api/v1/staff", "staff")]


@pytest.mark.parametrize(
    ("query", "said"),
    [("kind=NONSENSE", "筛选条件“类型”有误"), ("since=yesterday", "筛选条件“开始日期”有误"), ("colour=red", "colour")],
)
async def test_a_filter_that_is_nonsense_is_said(sit: Sit, query: str, said: str) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {400}
    await desk.open(f"/alerts?{query}")
    await expect(desk.page.get_by_role("alert")).to_contain_text(said)


async def test_no_data_is_said(sit: Sit) -> None:
    desk = await sit("FRONTLINE")
    await desk.open("/alerts?since=2000-01-01&until=2000-01-02")
    await expect(desk.page.get_by_text("没有符合条件的数据")).to_be_visible()
    await desk.look("alerts-empty", 390)
    await desk.page.get_by_role("button", name="清除筛选").last.click()
    await expect(desk.page.get_by_label("开始日期")).to_have_value("")


async def test_filters_are_kept_by_a_name(sit: Sit) -> None:
    desk = await sit("ADMIN")
    await desk.open("/alerts?kind=ALERT_KIND_ORDER_PAID&userid=guide_001")
    await desk.page.get_by_role("button", name="保存这组筛选").click()
    await desk.page.get_by_label("给这组筛选起个名字").fill("一号的付款")
    await desk.page.keyboard.press("Enter")
    await desk.open("/alerts")
    await desk.page.get_by_role("link", name="一号的付款").click()
    await expect(desk.page.get_by_label("员工")).to_have_value("guide_001")
    await expect(desk.page.get_by_label("类型")).to_have_value("ALERT_KIND_ORDER_PAID")
    await desk.look("alerts-kept")
    await desk.page.get_by_role("button", name="删除“一号的付款”").click()
    await expect(desk.page.get_by_role("link", name="一号的付款")).to_have_count(0)
