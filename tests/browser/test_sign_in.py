"""In by two clicks, out, and back to where one was."""

from __future__ import annotations

from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Sit, sign_in


async def test_a_newcomer_is_inside_in_two_clicks(sit: Sit, admin: Client) -> None:
    desk = await sit()
    desk.expected |= {401}
    await desk.open("/")
    await expect(desk.page.get_by_role("heading", name="登录闭环")).to_be_visible()
    await desk.look("sign-in")
    await sign_in(desk.page, "FRONTLINE", admin.corp_id)
    await expect(desk.page.get_by_role("heading", name="提醒")).to_be_visible()


async def test_a_session_that_was_ended_elsewhere_leads_to_sign_in_and_back(sit: Sit, admin: Client) -> None:
    desk = await sit()
    desk.expected |= {401}
    await desk.open("/alerts?kind=ALERT_KIND_ORDER_PAID")
    await sign_in(desk.page, "OPERATOR", admin.corp_id)
    await expect(desk.page.get_by_label("类型")).to_have_value("ALERT_KIND_ORDER_PAID")
    # Another tab signs out.
    ended = await desk.page.evaluate("fetch('/auth/logout', {method: 'POST'}).then(answer => answer.status)")
    assert ended == 204
    await desk.page.get_by_label("员工").fill("guide_001")
    await desk.page.get_by_role("button", name="筛选", exact=True).click()
    await expect(desk.page.get_by_text("登录已失效")).to_be_visible()
    await desk.look("sign-in-ended", 1440)
    await sign_in(desk.page, "OPERATOR", admin.corp_id)
    await expect(desk.page.get_by_label("员工")).to_have_value("guide_001")
    assert desk.page.url.endswith("/alerts?kind=ALERT_KIND_ORDER_PAID&userid=guide_001")


async def test_a_refused_sign_in_says_why(sit: Sit) -> None:
    desk = await sit()
    await desk.page.goto(f"{desk.gateway}/auth/callback?state=nobodys&code=x")
    await expect(desk.page.get_by_role("alert")).to_contain_text("不是从这个浏览器开始的")


async def test_what_a_role_may_not_do_is_not_shown(sit: Sit) -> None:
    seen = {}
    for role in ("ADMIN", "OPERATOR", "MANAGER", "FRONTLINE"):
        desk = await sit(role)
        await desk.open("/")
        await expect(desk.page.locator("nav a.here")).to_be_visible()
        seen[role] = await desk.page.locator("nav a").all_inner_texts()
    assert set(seen["FRONTLINE"]) < set(seen["MANAGER"]) <= set(seen["OPERATOR"]) < set(seen["ADMIN"])


async def test_a_page_of_another_role_says_so(sit: Sit) -> None:
    desk = await sit("FRONTLINE")
    await desk.open("/channels")
    await expect(desk.page.get_by_text("这里需要别的权限")).to_be_visible()
    await desk.look("forbidden", 1440)


async def test_the_sidebar_outside_wecom_says_so_with_a_way_in(sit: Sit) -> None:
    desk = await sit()
    await desk.open("/sidebar")
    await expect(desk.page.get_by_text("请在企业微信里打开")).to_be_visible()
    await desk.look("sidebar-outside", 390)
    assert await desk.page.get_by_role("link", name="打开控制台").get_attribute("href") == "/console/"
