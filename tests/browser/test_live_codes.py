"""Channels and live codes: made, changed, paused and archived where people work with them."""

from __future__ import annotations

from playwright.async_api import Page, expect

from deploy.local.client import Client
from tests.browser.conftest import Sit


async def test_a_channel_is_renamed_and_archived(sit: Sit, admin: Client) -> None:
    made = (await admin.post("/api/v1/channels", {"name": "展会九月"}))["channel"]
    desk = await sit("OPERATOR")
    await desk.open("/channels?name=展会")
    await desk.page.get_by_role("link", name="展会九月").click()
    await desk.page.get_by_role("button", name="改名").click()
    await desk.page.get_by_label("名称").fill("展会十月")
    await desk.page.get_by_role("button", name="保存").click()
    await expect(desk.page.get_by_role("heading", name="展会十月")).to_be_visible()
    await desk.look("channel-adds")
    # Somebody else's change is there without a reload.
    await admin.patch(f"/api/v1/channels/{made['channelId']}", {"name": "展会冬季"})
    await expect(desk.page.get_by_role("heading", name="展会冬季")).to_be_visible()
    await desk.page.get_by_role("button", name="归档").click()
    await expect(desk.page.get_by_role("button", name="恢复")).to_be_visible()
    await desk.open("/channels?name=展会")
    await expect(desk.page.get_by_text("没有符合条件")).to_be_visible()
    await desk.open("/channels?name=展会&archived=true")
    await expect(desk.page.get_by_role("link", name="展会冬季")).to_be_visible()


async def test_a_live_code_gets_other_employees_and_is_paused(sit: Sit, admin: Client) -> None:
    desk = await sit("OPERATOR")
    desk.expected |= {400}
    await desk.open("/live-codes/new")
    await desk.page.get_by_label("名称").fill("收银台立牌")
    await desk.page.get_by_label("渠道").select_option(label="门店海报")
    await desk.page.get_by_label("员工").fill(" ".join(f"u{n}" for n in range(101)))
    await desk.page.get_by_role("button", name="保存").click()
    await expect(desk.page.locator("[data-field=userids] .error")).to_be_visible()
    await desk.page.get_by_label("员工").fill("guide_001，guide_002")
    await desk.page.get_by_role("button", name="保存").click()
    await desk.page.get_by_role("link", name="收银台立牌").click()
    # WeCom makes the contact way meanwhile, and the page moves by itself.
    picture = desk.page.get_by_role("img", name="“收银台立牌”的二维码")
    await expect(picture).to_be_visible(timeout=20_000)
    printed = await _saved(desk.page)
    assert printed.startswith(b"\x89PNG")
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    await desk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await desk.page.get_by_role("button", name="复制图片").click()
    await expect(desk.page.get_by_text("已复制")).to_be_visible()
    copied = "navigator.clipboard.read().then(all => all[0].types)"
    assert await desk.page.evaluate(copied) == ["image/png"]
    await desk.page.get_by_role("button", name="修改").click()
    await desk.page.get_by_label("员工").fill("guide_003")
    await desk.page.get_by_role("button", name="保存").click()
    await expect(desk.page.get_by_text("guide_003")).to_be_visible()
    await expect(desk.page.get_by_text("企业微信还没有收下")).not_to_be_visible(timeout=20_000)
    assert await _saved(desk.page) == printed
    await desk.page.get_by_role("button", name="暂停").click()
    await expect(desk.page.get_by_role("button", name="恢复使用")).to_be_visible()
    await desk.look("live-code")
    await desk.page.get_by_role("button", name="恢复使用").click()
    await expect(desk.page.get_by_role("button", name="暂停")).to_be_visible()
    await desk.open("/live-codes?userid=guide_003")
    await expect(desk.page.get_by_role("link", name="收银台立牌")).to_be_visible()
    await desk.look("live-codes")


async def _saved(page: Page) -> bytes:
    link = page.get_by_role("link", name="下载图片")
    assert await link.get_attribute("download") == "收银台立牌.png"
    async with page.expect_download() as saving:
        await link.click()
    return (await (await saving.value).path()).read_bytes()


async def test_the_picture_is_for_those_who_may_see_the_code(sit: Sit, admin: Client, guide: Client) -> None:
    code = (await admin.get("/api/v1/live-codes", pageSize="1"))["liveCodes"][0]
    assert await guide.status(f"/api/v1/live-codes/{code['liveCodeId']}/qr-code") == 403
    assert await admin.status("/api/v1/live-codes/0198c0de-0000-7000-8000-000000000000/qr-code") == 404
    desk = await sit("OPERATOR")
    desk.expected |= {503}
    refused = {"type": "about:blank", "title": "x", "status": 503, "detail": "away", "reason": "PICTURE_AWAY"}
    await desk.page.route("**/qr-code*", lambda route: route.fulfill(status=503, json=refused))
    await desk.open(f"/live-codes/{code['liveCodeId']}")
    await expect(desk.page.get_by_role("alert")).to_contain_text("暂时读不到图片")
    await desk.page.unroute("**/qr-code*")
    await desk.page.get_by_role("button", name="重试").click()
    await expect(desk.page.get_by_role("img", name=f"“{code['name']}”的二维码")).to_be_visible()


async def test_who_may_only_read_sees_no_button(sit: Sit) -> None:
    desk = await sit("MANAGER")
    await desk.open("/live-codes")
    await expect(desk.page.get_by_role("heading", name="活码")).to_be_visible()
    await expect(desk.page.get_by_role("button", name="新建活码")).to_have_count(0)
