"""Orders: found by filters, equal to the API's; one order with what its mall said, and why it is whose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from deploy.local.client import Client
from tests.browser.conftest import Sit
from tests.browser.test_live import befriended


async def bought(admin: Client, person: str, userid: str, **order: Any) -> dict[str, Any]:
    """A new friend's order, attributed."""
    friend = await befriended(admin, person, userid)
    await admin.drained(20)
    asked = {"external_userid": friend["external_userid"], "yuan": "88.00", **order}
    answer = await admin.sandbox("/sandbox/order", asked)
    await admin.drained(20)
    return {**answer, "external_userid": friend["external_userid"]}


async def shown(page: Page) -> list[str]:
    """The numbers of the orders in the list, once it is there."""
    await expect(page.locator(".list[aria-busy=false]")).to_be_visible()
    return await page.locator("tbody td:first-child a").all_inner_texts()


def numbers(answer: dict[str, Any]) -> list[str]:
    return [one["orderId"] for one in answer["orders"]]


async def test_filters_show_what_the_api_says(sit: Sit, admin: Client) -> None:
    paid = await bought(admin, "orders filtered", "guide_004")
    unpaid = await bought(admin, "orders unpaid", "guide_004", pay=False)
    desk = await sit("ADMIN")
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    since = datetime.combine(today, datetime.min.time(), ZoneInfo("Asia/Shanghai"))
    for address, query in (
        ("userid=guide_004", {"userid": "guide_004"}),
        (f"orderId={unpaid['order_id']}", {"orderId": unpaid["order_id"]}),
        ("status=ORDER_STATUS_CREATED", {"status": "ORDER_STATUS_CREATED"}),
        (f"userid=guide_004&paidSince={today}", {"userid": "guide_004", "paidSince": since.isoformat()}),
        (f"paidUntil={today - timedelta(days=1)}", {"paidUntil": since.isoformat()}),
        ("userid=guide_004&order_by=created_at", {"userid": "guide_004", "orderBy": "created_at"}),
    ):
        answer = await admin.get("/api/v1/orders", withTotal="true", **query)
        await desk.open(f"/orders?{address}")
        assert await shown(desk.page) == numbers(answer), address
        if answer["orders"]:
            await expect(desk.page.get_by_text(f"共 {answer['total']['count']} 条")).to_be_visible()
    await desk.open("/orders?userid=guide_004")
    assert {paid["order_id"], unpaid["order_id"]} <= set(await shown(desk.page))
    await desk.look("orders-filtered")
    await desk.page.get_by_label("状态").select_option("已付款")
    await desk.page.wait_for_url("**status=ORDER_STATUS_PAID**")
    await expect(desk.page.get_by_role("link", name=unpaid["order_id"])).to_have_count(0)
    await expect(desk.page.get_by_role("link", name=paid["order_id"])).to_be_visible()


async def test_the_list_is_ordered_by_what_is_clicked(sit: Sit, admin: Client) -> None:
    await bought(admin, "orders ordered", "guide_005")
    desk = await sit("ADMIN")
    await desk.open("/orders")
    await desk.page.get_by_role("button", name="付款时间").click()
    await desk.page.wait_for_url("**order_by=paid_at")
    await expect(desk.page.get_by_text("不含未付款的订单")).to_be_visible()
    assert await shown(desk.page) == numbers(await admin.get("/api/v1/orders", orderBy="paid_at", pageSize="50"))
    # In a period of payments nothing is ordered by creation, whatever the address says.
    await desk.open("/orders?order_by=created_at&paidSince=2026-01-01")
    await expect(desk.page.get_by_role("button", name="付款时间")).to_be_visible()
    await expect(desk.page.get_by_role("button", name="下单时间")).to_have_count(0)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=PAID", "筛选条件“状态”有误"),
        ("channelId=x", "筛选条件“归属渠道”有误"),
        ("mallId=A mall", "筛选条件“商城”有误"),
        ("paidSince=2026-02-01&paidUntil=2026-01-01", "筛选条件“付款至”有误"),
        ("colour=red", "colour"),
    ],
)
async def test_a_filter_that_is_nonsense_is_said(sit: Sit, query: str, said: str) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {400}
    await desk.open(f"/orders?{query}")
    await expect(desk.page.get_by_role("alert")).to_contain_text(said)


async def test_an_order_says_why_it_is_whose_and_moves_with_its_mall(sit: Sit, admin: Client) -> None:
    order = await bought(admin, "orders explained", "guide_006")
    # A later friend earns nothing of it.
    state = admin.codes.states[2]  # type: ignore[attr-defined]
    await admin.sandbox("/sandbox/scan", {"state": state, "userid": "guide_007", "person": "orders explained"})
    await admin.drained(20)
    desk = await sit("ADMIN")
    (mall,) = (await admin.get("/api/v1/malls"))["malls"]
    await desk.open(f"/orders/{mall['mallId']}/{order['order_id']}")
    await expect(desk.page.get_by_role("heading", name=order["order_id"])).to_be_visible()
    why = await admin.get(f"/api/v1/malls/{mall['mallId']}/orders/{order['order_id']}:explain")
    employee = desk.page.get_by_role("region", name="归属员工")
    assert await employee.locator("li b").all_inner_texts() == [one["userid"] for one in why["relations"]]
    await expect(employee.locator("li.chosen")).to_contain_text("guide_006")
    await expect(employee.locator("li", has_text="guide_007")).to_contain_text("之后才添加")
    channel = desk.page.get_by_role("region", name="归属渠道")
    await expect(channel.locator("li.chosen")).to_have_count(1)
    messages = desk.page.locator("ol li")
    await expect(messages).to_have_count(2)
    await expect(messages.last).to_contain_text("¥88.00")
    await admin.sandbox("/sandbox/refund", {"order_id": order["order_id"], "yuan": "8.00"})
    await expect(messages).to_have_count(3, timeout=20_000)
    await expect(messages.last).to_contain_text("−¥8.00")
    await expect(desk.page.get_by_text("部分退款")).to_be_visible()
    await desk.look("order-explained")


async def test_an_unpaid_order_of_a_guest_belongs_to_nobody(sit: Sit, admin: Client) -> None:
    order = await bought(admin, "orders guest", "guide_006", guest=True, pay=False)
    desk = await sit("OPERATOR")
    await desk.open(f"/orders?orderId={order['order_id']}")
    await desk.page.get_by_role("link", name=order["order_id"]).click()
    await expect(desk.page.get_by_text("还没有付款，暂看下单的那一刻")).to_be_visible()
    await expect(desk.page.get_by_text("商城还没有说清买家是谁")).to_be_visible()
    await desk.look("order-guest", 390)


async def test_an_employee_filters_their_own(sit: Sit, admin: Client) -> None:
    own = await bought(admin, "orders own", "guide_000")
    foreign = await bought(admin, "orders foreign", "guide_009")
    desk = await sit("FRONTLINE")
    await desk.open("/orders")
    await expect(desk.page.get_by_role("link", name=own["order_id"])).to_be_visible()
    await expect(desk.page.get_by_label("归属员工")).to_have_count(0)
    await expect(desk.page.get_by_label("归属渠道")).to_have_count(0)
    await desk.open(f"/orders?orderId={foreign['order_id']}")
    await expect(desk.page.get_by_text("没有符合条件的数据")).to_be_visible()
    await desk.look("orders-own")


async def test_it_is_good_to_look_at_dark_and_in_english(sit: Sit, admin: Client) -> None:
    """An order of several lines, and a friendship that is over."""
    order = await bought(admin, "orders english", "guide_006", lines=["1234.56", "0.01", "88.00"])
    contact = {"external_userid": order["external_userid"], "userid": "guide_006"}
    await admin.sandbox("/sandbox/delete", {**contact, "by": "customer"})
    await admin.drained(20)
    desk = await sit("OPERATOR")
    await desk.open(f"/orders?orderId={order['order_id']}")
    await desk.page.get_by_role("link", name=order["order_id"]).click()
    employee = desk.page.get_by_role("region", name="归属员工")
    await expect(employee.locator("li.chosen")).to_contain_text("结束")
    await desk.page.get_by_role("button", name="运营").click()
    await desk.page.get_by_role("menuitem", name="English").click()
    await expect(desk.page.get_by_role("heading", name="Whose it is, and why")).to_be_visible()
    await expect(desk.page.get_by_role("region", name="Employee").locator("li.chosen")).to_contain_text("Earned it")
    await desk.look("order-english")
    await desk.page.get_by_role("button", name="运营").click()
    await desk.page.get_by_role("menuitem", name="Dark").click()
    await desk.open(f"/orders?status=ORDER_STATUS_PAID&orderId={order['order_id']}")
    await expect(desk.page.get_by_role("link", name=order["order_id"])).to_be_visible()
    await desk.look("orders-english-dark", 1440)
