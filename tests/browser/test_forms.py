"""Forms: the server's errors stand at their fields, and two people who edit one thing see each other."""

from __future__ import annotations

from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Sit

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"


async def test_the_servers_error_stands_at_its_field(sit: Sit) -> None:
    desk = await sit("OPERATOR")
    desk.expected |= {400, 409}
    await desk.open("/channels/new")
    save = desk.page.get_by_role("button", name="保存")
    name = desk.page.get_by_label("名称")
    for wrong in ("", "长" * 61, "门店海报"):
        await name.fill(wrong)
        await save.click()
        error = desk.page.locator("[data-field=name] .error")
        await expect(error).to_be_visible()
        await expect(name).to_be_focused()
        await expect(name).to_have_attribute("aria-invalid", "true")
    await desk.look("form-error")


async def test_a_script_is_stored_and_shown_as_text(sit: Sit, admin: Client) -> None:
    desk = await sit("OPERATOR")
    await desk.open("/channels/new")
    await desk.page.get_by_label("名称").fill(SCRIPT[:60])
    await desk.page.get_by_role("button", name="保存").click()
    await expect(desk.page.get_by_role("link", name=SCRIPT[:60])).to_be_visible()
    assert SCRIPT[:60] in [one["name"] async for one in admin.each("/api/v1/channels", "channels")]
    await desk.look("channels")
    await desk.page.get_by_role("link", name=SCRIPT[:60]).click()
    await expect(desk.page.get_by_role("heading", name=SCRIPT[:60])).to_be_visible()
    await desk.look("channel", 1440)


async def test_two_people_who_edit_one_rule_see_each_others_change(sit: Sit, admin: Client) -> None:
    desk = await sit("OPERATOR")
    desk.expected |= {409}
    await desk.open("/welcome-rules")
    await desk.page.get_by_role("link", name="默认").click()
    text = desk.page.get_by_label("欢迎语", exact=False).first
    await text.fill("您好，欢迎！")
    (rule,) = [one async for one in admin.each("/api/v1/welcome-rules", "welcomeRules") if not one["channelId"]]
    path = f"/api/v1/welcome-rules/{rule['welcomeRuleId']}"
    await admin.patch(path, {"revision": rule["revision"], "text": "别人的欢迎语"})
    await desk.page.get_by_role("button", name="保存").click()
    conflict = desk.page.get_by_role("alertdialog")
    await expect(conflict).to_contain_text("别人的欢迎语")
    await expect(conflict).to_contain_text("您好，欢迎！")
    await desk.look("conflict")
    await conflict.get_by_role("button", name="用我的覆盖").click()
    await expect(desk.page.get_by_role("cell", name="您好，欢迎！")).to_be_visible()
    # Nothing else was changed by it.
    (now,) = [one async for one in admin.each("/api/v1/welcome-rules", "welcomeRules") if not one["channelId"]]
    assert now == rule | {"text": "您好，欢迎！", "revision": now["revision"]}
    await admin.patch(path, {"text": rule["text"]})
