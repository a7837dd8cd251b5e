"""The chat sidebar: who this is, what just happened, live, and what next; and what it says when it cannot know."""

from __future__ import annotations

from playwright.async_api import expect

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.browser.conftest import Sit
from tests.browser.test_live import befriended
from tests.browser.wecom import AGENT, OPTIONS, bridge

SIDEBAR = 360


async def test_a_chat_in_wecom_opens_on_its_customer_and_moves(sit: Sit, admin: Client, suite: Suite) -> None:
    """In the sandbox's client: signed in without a click, signed for real, and live."""
    friend = await befriended(admin, "sidebar chat", "guide_000")
    await admin.drained(20)
    desk = await sit()
    desk.expected |= {401}
    await desk.page.goto(f"{suite.chat}/?userid=guide_000&external_userid={friend['external_userid']}")
    frame = desk.page.frame_locator("iframe")
    await expect(frame.get_by_role("heading", name=friend["name"])).to_be_visible()
    await expect(frame.get_by_text("我的好友")).to_be_visible()
    await expect(frame.get_by_text("未成交")).to_be_visible()
    await expect(frame.locator("[data-state=live]")).to_be_visible()
    await desk.page.get_by_label("这位客户在商城下单").fill("1288.50")
    await desk.page.get_by_role("button", name="下单并付款").click()
    await expect(frame.locator(".fresh", has_text="¥1288.50")).to_be_visible(timeout=20_000)
    await expect(frame.locator(".next .advice")).to_have_text("可致谢")
    await expect(frame.get_by_text("¥1,288.50").first).to_be_visible()
    await expect(frame.get_by_text("已首购")).to_be_visible()
    await desk.look("sidebar-in-wecom", 1440)
    # Another chat, another sidebar.
    other = await befriended(admin, "sidebar chat 2", "guide_000")
    await admin.drained(20)
    await desk.page.goto(f"{suite.chat}/?userid=guide_000&external_userid={other['external_userid']}")
    await expect(frame.get_by_text("没有订单")).to_be_visible()
    await expect(frame.get_by_text("¥1,288.50")).to_have_count(0)


async def test_the_sidebar_at_its_own_width(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "sidebar width", "guide_000")
    external_userid = friend["external_userid"]
    for yuan in ("99.00", "12.50"):
        await admin.sandbox("/sandbox/order", {"external_userid": external_userid, "yuan": yuan})
    await admin.drained(20)
    known = (await admin.get(f"/api/v1/contacts/{external_userid}/customer"))["customer"]
    desk = await sit("FRONTLINE", **OPTIONS)
    await desk.page.add_init_script(bridge(external_userid))
    await desk.open("/sidebar")
    await expect(desk.page.get_by_role("heading", name=known["name"])).to_be_visible()
    asked = await desk.page.evaluate("window.asked")
    assert asked.index("preVerifyJSAPI") < asked.index("getContext") < asked.index("getCurExternalContact")
    await expect(desk.page.locator("dl dd").first).to_have_text(known["paidOrders"])
    await expect(desk.page.locator("dl dd").last).to_have_text("¥111.50")
    await desk.look("sidebar", SIDEBAR)
    await desk.page.get_by_role("button", name="“净成交额”的定义").click()
    await expect(desk.page.get_by_text("实付减去已退款")).to_be_visible()
    await desk.page.keyboard.press("Escape")
    await desk.page.get_by_role("button", name="English").click()
    await expect(desk.page.get_by_text("bought again")).to_be_visible()
    await desk.look("sidebar-english", SIDEBAR)


async def test_a_foreign_customer_is_not_shown(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "sidebar foreign", "guide_009")
    await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "5.00"})
    await admin.drained(20)
    desk = await sit("FRONTLINE", **OPTIONS)
    desk.expected |= {404}
    await desk.page.add_init_script(bridge(friend["external_userid"]))
    await desk.open("/sidebar")
    await expect(desk.page.get_by_text("还看不到这位客户")).to_be_visible()
    await expect(desk.page.get_by_text(friend["name"])).to_have_count(0)
    await expect(desk.page.get_by_text("¥5.00")).to_have_count(0)
    await desk.look("sidebar-foreign", SIDEBAR)


async def test_a_customer_who_becomes_known_appears_by_themselves(sit: Sit, admin: Client) -> None:
    """The sidebar of a chat that is minutes old may be faster than we are."""
    friend = await befriended(admin, "sidebar later", "guide_009")
    await admin.drained(20)
    desk = await sit("FRONTLINE", **OPTIONS)
    desk.expected |= {404}
    await desk.page.add_init_script(bridge(friend["external_userid"]))
    await desk.open("/sidebar")
    await expect(desk.page.get_by_text("还看不到这位客户")).to_be_visible()
    await expect(desk.page.locator("[data-state=live]")).to_be_visible()
    await befriended(admin, "sidebar later", "guide_000")
    await expect(desk.page.get_by_role("heading", name=friend["name"])).to_be_visible(timeout=20_000)


async def test_a_signature_that_wecom_refuses_is_said(sit: Sit, admin: Client) -> None:
    desk = await sit("FRONTLINE", **OPTIONS)
    refused = {"err_msg": "agentConfig:fail_invalid signature"}
    await desk.page.add_init_script(bridge("wm0", agentConfig=refused))
    await desk.open("/sidebar")
    await expect(desk.page.get_by_role("alert")).to_contain_text("企业微信没有接受这个页面")
    await expect(desk.page.get_by_role("alert")).to_contain_text("invalid signature")
    await expect(desk.page.get_by_role("link", name="打开工作台")).to_have_attribute("href", "/console/phone")
    await desk.look("sidebar-refused", SIDEBAR)


async def test_without_a_customer_the_sidebar_says_where_it_belongs(sit: Sit) -> None:
    desk = await sit("FRONTLINE", **OPTIONS)
    await desk.page.add_init_script(bridge())
    await desk.open("/sidebar")
    await expect(desk.page.get_by_text("这里没有客户")).to_be_visible()
    group = await sit("FRONTLINE", **OPTIONS)
    await group.page.add_init_script(bridge(getContext={"err_msg": "getContext:ok", "entry": "group_chat_tools"}))
    await group.open("/sidebar")
    await expect(group.page.get_by_text("这是群聊")).to_be_visible()


async def test_whoever_is_not_signed_in_goes_through_sign_in_and_back(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "sidebar sign-in", "guide_000")
    await admin.drained(20)
    desk = await sit(**OPTIONS)
    desk.expected |= {401}
    await desk.page.add_init_script(bridge(friend["external_userid"]))
    await desk.open("/sidebar?from=chat")
    # Two corps are served here: which one is asked once, and remembered.
    await desk.page.get_by_text(admin.corp_id).click()
    await desk.page.get_by_role("button", name="企业微信登录").click()
    await desk.page.locator(".offered a", has_text="一线员工").click()
    await expect(desk.page.get_by_role("heading", name=friend["name"])).to_be_visible()
    assert desk.page.url.endswith("/console/sidebar?from=chat")
    # Ended elsewhere: WeCom knows who sits there, and it goes on by itself.
    await desk.page.evaluate("fetch('/auth/logout', {method: 'POST'})")
    await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "8.00"})
    await desk.page.locator(".offered a", has_text="一线员工").click()
    await expect(desk.page.get_by_role("heading", name=friend["name"])).to_be_visible()


async def test_a_browser_that_keeps_no_session_is_told_and_not_sent_round(sit: Sit, admin: Client) -> None:
    desk = await sit(**OPTIONS)
    desk.expected |= {401}
    await desk.page.add_init_script("sessionStorage.setItem('bihuan.left-for-sign-in', String(Date.now()))")
    await desk.open("/sidebar")
    await expect(desk.page.get_by_text("登录没有成功")).to_be_visible()
    await expect(desk.page.get_by_role("button", name="重新登录")).to_be_visible()


async def test_outside_wecom_the_sidebar_says_so_with_a_way_in(sit: Sit) -> None:
    assert "wxwork" in AGENT
    desk = await sit("FRONTLINE")
    await desk.open("/sidebar")
    await expect(desk.page.get_by_text("请在企业微信里打开")).to_be_visible()
    await expect(desk.page.get_by_role("link", name="打开控制台")).to_have_attribute("href", "/console/")
    await desk.page.get_by_role("link", name="打开工作台").click()
    await expect(desk.page.get_by_role("heading", name="我的提醒")).to_be_visible()
