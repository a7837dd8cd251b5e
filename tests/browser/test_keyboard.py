"""Without a mouse: the way through a page by Tab, what opens by Enter and closes by Escape, and where one is then."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Sit


async def test_the_first_tab_skips_to_the_content(sit: Sit) -> None:
    desk = await sit("ADMIN")
    await desk.open("/alerts")
    await expect(desk.page.get_by_role("heading", name="提醒")).to_be_visible()
    await desk.page.keyboard.press("Tab")
    skip = desk.page.get_by_role("link", name="跳到内容")
    await expect(skip).to_be_focused()
    await desk.page.keyboard.press("Enter")
    await desk.page.keyboard.press("Tab")
    inside = await desk.page.evaluate("document.querySelector('main').contains(document.activeElement)")
    assert inside, "the next stop is inside the content"


async def test_tab_goes_through_in_the_order_of_the_page(sit: Sit) -> None:
    desk = await sit("ADMIN")
    await desk.open("/alerts")
    await expect(desk.page.get_by_label("开始日期")).to_be_visible()
    stops = await _stops(desk.page, 60)
    order = ["闭环 Bihuan", "概览", "渠道", "员工"]
    met = [stop for stop in stops if stop in order]
    assert met[: len(order)] == order, stops
    assert len(set(stops)) > 15, "nothing holds the focus"


async def test_a_menu_and_a_definition_give_the_focus_back(sit: Sit) -> None:
    desk = await sit("ADMIN")
    await desk.open("/overview")
    who = desk.page.get_by_role("button", name="管理员")
    await who.focus()
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.get_by_role("menuitem", name="退出登录")).to_be_visible()
    await desk.page.keyboard.press("ArrowDown")
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.get_by_role("menuitem", name="退出登录")).to_be_hidden()
    await expect(who).to_be_focused()
    ask = desk.page.get_by_role("button", name="“添加次数”的定义")
    await ask.focus()
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.get_by_text("含回流客户。").first).to_be_visible()
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.get_by_text("含回流客户。").first).to_be_hidden()
    await expect(ask).to_be_focused()


async def test_a_new_page_is_read_from_its_beginning(sit: Sit) -> None:
    desk = await sit("ADMIN")
    await desk.open("/overview")
    await expect(desk.page.get_by_role("heading", name="概览")).to_be_visible()
    link = desk.page.get_by_role("navigation", name="主导航").get_by_role("link", name="订单")
    await link.focus()
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.get_by_role("heading", name="订单", exact=True)).to_be_visible()
    await expect(desk.page.locator("#content")).to_be_focused()


async def _stops(page: object, most: int) -> list[str]:
    """What Tab stops at, in words."""
    found = []
    for _ in range(most):
        await page.keyboard.press("Tab")  # type: ignore[attr-defined]
        words = "one =>  one.getAttribute('aria-label') || one.innerText || one.name || one.tagName"
        found.append(str(await page.evaluate(f"({words})(document.activeElement)")).strip())  # type: ignore[attr-defined]
    return found
