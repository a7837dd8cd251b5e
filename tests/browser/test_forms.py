"""Forms: the server's errors stand at their fields, and two people who edit one thing see each other."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import FilePayload, expect

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


async def test_a_name_that_is_taken_is_said_in_chinese(sit: Sit) -> None:
    desk = await sit("OPERATOR")
    desk.expected |= {400, 409}
    await desk.open("/channels/new")
    error = desk.page.locator("[data-field=name] .error")
    for name, said in (("门店海报", "应为 与其他渠道（包括已归档的）不同的名称"), ("", "必填")):
        await desk.page.get_by_label("名称").fill(name)
        await desk.page.get_by_role("button", name="保存").click()
        await expect(error).to_have_text(said)


async def test_what_is_wrong_with_a_welcome_is_said_in_chinese(sit: Sit) -> None:
    desk = await sit("OPERATOR")
    desk.expected |= {400, 413}
    await desk.open("/welcome-rules/new")
    for text, said in (
        ("您好\n{{ nobody.name }}", re.compile(r"模板有误（第 2 行第 \d+ 个字）：")),
        ("{{ customer.name }}", "应为 没有姓名时也读得通的文字"),
    ):
        await desk.page.get_by_label("欢迎语 *").fill(text)
        await expect(desk.page.locator("[data-preview] .error")).to_have_text(said)
        await desk.page.get_by_role("button", name="保存").click()
        await expect(desk.page.locator("[data-field=text] .error")).to_have_text(said)
    big = FilePayload(name="大.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7" + bytes(20 * 1024 * 1024))
    await desk.page.get_by_label("＋ 文件").set_input_files(big)
    await expect(desk.page.locator(".editor [role=alert]")).to_have_text("没有上传：应为 不超过 20 MB")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/customers/nobody", "编号不完整，或者写错了。"),
        ("/channels/00000000-0000-4000-8000-000000000000", "没有找到：它可能已经不在了，或者链接写错了。"),
        ("/identifier-policies/shoe-size", "已经不在了"),
        ("/orders/yz-main/nothing", "没有找到：它可能已经不在了，或者链接写错了。"),
    ],
)
async def test_a_link_that_leads_nowhere_is_said_in_chinese(sit: Sit, path: str, said: str) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {400, 404}
    await desk.open(path)
    await expect(desk.page.get_by_role("alert")).to_contain_text(said)


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
