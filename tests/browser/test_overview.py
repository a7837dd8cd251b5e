"""The overview: figures of a period beside the one before, equal to the API's, live, in each person's scope."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from secrets import token_hex
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, expect

from deploy.local.client import Client
from tests.browser.conftest import Desk, Sit
from tests.browser.test_live import befriended


def count(text: str) -> str:
    return f"{int(text):,}"


def money(of: dict[str, str]) -> str:
    fen = int(of["amount"])
    return f"{'−' if fen < 0 else ''}¥{abs(fen) / 100:,.2f}"


def figure(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f"[data-figure='{name}']")


async def report(client: Client, of: str, first: date, last: date, by: str = "DIMENSION_DAY") -> dict[str, Any]:
    return await client.get(f"/api/v1/reports/{of}", firstDay=first.isoformat(), lastDay=last.isoformat(), by=by)


def today() -> date:
    return datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()


async def test_each_figure_equals_the_apis_in_the_period_of_the_address(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser overview", "guide_002")
    for _ in range(2):
        await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "88.00"})
    await admin.drained(30)
    desk = await sit("ADMIN")
    await desk.open("/overview?days=7")
    last = today()
    first = last - timedelta(days=6)
    adds = await report(admin, "adds", first, last)
    before = await report(admin, "adds", first - timedelta(days=7), first - timedelta(days=1))
    await expect(figure(desk, "添加次数")).to_have_text(count(adds["total"]["adds"]))
    await expect(figure(desk, "新客户")).to_have_text(count(adds["total"]["customers"]))
    # Nothing was before: there is nothing to divide by, which is not 0 %.
    assert before["total"]["adds"] == "0"
    await expect(desk.page.locator("[data-change=添加次数]")).to_contain_text("前期 0")
    await expect(desk.page.locator("[data-change=添加次数]")).not_to_contain_text("%")
    sales = await report(admin, "sales", first, last)
    relations = (await report(admin, "relations", first, last))["total"]
    for name, value in {
        "好友关系": count(relations["living"]),
        "流失": count(relations["ended"]),
        "已发欢迎语": count((await report(admin, "welcomes", first, last))["total"]["sent"]),
        "提醒": count((await report(admin, "alerts", first, last))["total"]["raised"]),
        "成交额": money(sales["total"]["gmvPaid"]),
        "净成交额": money(sales["total"]["net"]),
        "退款": money(sales["total"]["refunded"]),
        "付款订单": count(sales["total"]["paidOrders"]),
        "付款客户": count(sales["buyers"]),
        "复购率": f"{sales['repurchaseRate'] * 100:.1f}%",
    }.items():
        await expect(figure(desk, name)).to_have_text(value)
    figures = await admin.get("/api/v1/figures/people")
    await expect(figure(desk, "客户")).to_have_text(count(figures["people"]))
    for way, by in (("channel", "CHANNEL"), ("employee", "STAFF"), ("department", "DEPARTMENT"), ("mall", "MALL")):
        await desk.page.get_by_label("分布方式").select_option(value=way)
        rows = (await report(admin, "sales", first, last, f"DIMENSION_{by}"))["rows"]
        shown = desk.page.locator(".ranking tbody tr")
        await expect(shown.first.locator("td").nth(0)).to_have_text(money(rows[0]["gmvPaid"]))
        await expect(shown.first.locator("td").nth(1)).to_have_text(money(rows[0]["net"]))
        if way != "mall":
            added = (await report(admin, "adds", first, last, f"DIMENSION_{by}"))["rows"]
            await desk.page.get_by_role("columnheader", name="添加次数").get_by_role("button").click()
            await expect(shown.first.locator("td").nth(4)).to_have_text(count(added[0]["adds"]))
            await desk.page.get_by_role("columnheader", name="成交额", exact=True).get_by_role("button").click()
        assert f"by={way}" in desk.page.url
    await desk.page.get_by_role("button", name="“客户”的定义").click()
    await expect(desk.page.get_by_text("归并后的人数")).to_be_visible()
    await desk.page.get_by_role("heading", name="概览").click()
    await expect(desk.page.get_by_text("归并后的人数")).to_be_hidden()


async def test_a_change_is_told_beside_the_period_before(sit: Sit, admin: Client) -> None:
    """Tomorrow seen from the day after: what happened today is the period before it."""
    await befriended(admin, "browser before", "guide_002")
    await admin.drained(30)
    desk = await sit("ADMIN")
    day = today() + timedelta(days=1)
    await desk.open(f"/overview?from={day}&to={day}")
    now = (await report(admin, "adds", today(), today()))["total"]["adds"]
    await expect(figure(desk, "添加次数")).to_have_text("0")
    await expect(figure(desk, "复购率")).to_contain_text("—")
    change = desk.page.locator("[data-change=添加次数]")
    await expect(change).to_contain_text("减少100.0%")
    await expect(change).to_contain_text(f"前期 {count(now)}")


@pytest.mark.parametrize(
    ("query", "said"),
    [("days=many", "days"), ("from=2026-11-31&to=2026-12-01", "from"), ("from=2026-11-02&to=2026-11-01", "to")],
)
async def test_a_period_that_is_nonsense_is_said(sit: Sit, query: str, said: str) -> None:
    desk = await sit("ADMIN")
    await desk.open(f"/overview?{query}")
    await expect(desk.page.get_by_role("alert")).to_contain_text(f"链接中的时段（{said}）有误")


async def test_a_period_is_picked_and_stays_in_the_address(sit: Sit) -> None:
    desk = await sit("ADMIN")
    await desk.open("/overview")
    await expect(desk.page.get_by_role("button", name="近 30 天")).to_have_attribute("aria-pressed", "true")
    await desk.page.get_by_role("button", name="近 7 天").click()
    await desk.page.get_by_label("第一天").fill("2026-01-01")
    await desk.page.wait_for_url("**/overview?from=2026-01-01&to=*")
    await desk.page.go_back()
    await desk.page.wait_for_url("**/overview?days=7")
    await expect(desk.page.get_by_role("button", name="近 7 天")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("role", ["ADMIN", "OPERATOR", "MANAGER", "FRONTLINE"])
async def test_an_add_and_an_order_appear_without_a_reload(sit: Sit, admin: Client, role: str) -> None:
    desk = await sit(role)
    await desk.open("/overview?days=1")
    await expect(desk.page.locator("[data-state=live]")).to_be_visible()
    shown = await figure(desk, "添加次数").inner_text()
    # guide_000 is the employee of the tests, and of the manager's department.
    friend = await befriended(admin, f"browser overview {role} {token_hex(4)}", "guide_000")
    await expect(figure(desk, "添加次数")).not_to_have_text(shown)
    paid = await figure(desk, "成交额").inner_text()
    await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "66.00"})
    await expect(figure(desk, "成交额")).not_to_have_text(paid)
    # A confined role is asked nothing about the whole corp.
    await expect(figure(desk, "客户")).to_have_count(1 if role in ("ADMIN", "OPERATOR") else 0)
    await desk.look(f"overview-{role.lower()}")


async def test_it_is_good_to_look_at_dark_and_in_english(sit: Sit) -> None:
    desk = await sit("ADMIN")
    await desk.open("/overview")
    await expect(figure(desk, "添加次数")).to_be_visible()
    await desk.look("overview")
    await desk.page.get_by_role("button", name="管理员").click()
    await desk.page.get_by_role("menuitem", name="深色").click()
    await desk.look("overview-dark", 1440)
    await desk.page.get_by_role("button", name="管理员").click()
    await desk.page.get_by_role("menuitem", name="English").click()
    await expect(desk.page.get_by_role("heading", name="Overview")).to_be_visible()
    await desk.look("overview-english", 1440)
