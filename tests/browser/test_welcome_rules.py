"""Welcome rules: written with a preview, with attachments, archived and restored; and how welcomes ended."""

from __future__ import annotations

import base64

from playwright.async_api import FilePayload, expect

from deploy.local.client import Client
from tests.browser.conftest import Sit
from tests.waiting import until

# One blue point.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPj/HwADBwIAMCbHYQAAAABJRU5ErkJggg=="
)
PICTURE = FilePayload(name="海报.png", mimeType="image/png", buffer=PNG)
TEXT = (
    "{% if customer.name %}{{ customer.name }}，{% endif %}您好！{% if staff.name %}我是{{ staff.name }}。{% endif %}"
)
CHANNEL = 5


async def test_a_rule_is_written_with_a_preview_and_attachments(sit: Sit, admin: Client) -> None:
    desk = await sit("OPERATOR")
    desk.expected |= {400}
    page, channel_id = desk.page, admin.codes.channels[CHANNEL]  # type: ignore[attr-defined]
    await desk.open("/welcome-rules/new")
    text, preview = page.get_by_label("欢迎语 *"), page.locator("[data-preview]")
    await text.fill("{{ nobody.name }}")
    await expect(preview.locator(".error")).to_be_visible()
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("[data-field=text] .error")).to_be_visible()
    await text.fill(TEXT)
    await expect(preview).to_contain_text("王小明，您好！我是李导购。")
    await page.get_by_label("客户称呼").fill("<b>张</b>")
    await expect(preview).to_contain_text("<b>张</b>，您好！我是李导购。")
    await page.get_by_label("发送时知道什么").select_option("withoutNames")
    await expect(preview.locator(".bubble")).to_have_text("您好！")
    await page.get_by_label("渠道").select_option(channel_id)
    wrong = FilePayload(name="x.png", mimeType="image/png", buffer=b"<script>alert(1)</script>")
    await page.get_by_label("＋ 图片").set_input_files(wrong)
    await expect(page.locator(".editor [role=alert]")).to_contain_text("JPG 或 PNG")
    await page.get_by_label("＋ 图片").set_input_files(PICTURE)
    await expect(page.locator(".editor li img")).to_have_count(1)
    pdf = FilePayload(name="价目表.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7")
    await page.get_by_label("＋ 文件").set_input_files(pdf)
    await expect(page.locator(".editor li")).to_have_count(2)
    await page.get_by_role("button", name="＋ 小程序").click()
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("[data-field=attachments] .about .error")).to_be_visible()
    await expect(page.get_by_label("标题", exact=True)).to_have_attribute("aria-invalid", "true")
    await desk.look("welcome-rule-form")
    await page.get_by_role("button", name="删除第 3 个附件").click()
    await page.get_by_role("button", name="第 2 个附件上移").click()
    await page.get_by_role("button", name="保存").click()
    row = page.locator("tbody tr", has_text="{% if customer.name %}")
    await expect(row.first).to_be_visible()
    (rule,) = (await admin.get("/api/v1/welcome-rules", channelId=channel_id))["welcomeRules"]
    assert [next(iter(one)) for one in rule["attachments"]] == ["file", "image"]
    await desk.open(f"/welcome-rules/{rule['welcomeRuleId']}")
    await expect(page.get_by_role("link", name="价目表.pdf")).to_be_visible()
    await admin.post(f"/api/v1/welcome-rules/{rule['welcomeRuleId']}:archive", {})


async def test_a_rule_is_archived_and_restored(sit: Sit, admin: Client) -> None:
    desk = await sit("OPERATOR")
    desk.expected |= {409}
    page, channel_id = desk.page, admin.codes.channels[CHANNEL + 1]  # type: ignore[attr-defined]
    body = {"channelId": channel_id, "text": "要归档的欢迎语"}
    path = f"/welcome-rules/{(await admin.post('/api/v1/welcome-rules', body))['welcomeRule']['welcomeRuleId']}"
    await desk.open(path)
    await page.get_by_role("button", name="归档").click()
    await expect(page.get_by_role("heading", name="欢迎语")).to_be_visible()
    await expect(page.get_by_role("cell", name="要归档的欢迎语")).to_have_count(0)
    await page.get_by_label("显示").select_option("true")
    await expect(page.get_by_role("cell", name="要归档的欢迎语")).to_be_visible()
    await desk.look("welcome-rules-archived")
    other = (await admin.post("/api/v1/welcome-rules", {**body, "text": "另一条"}))["welcomeRule"]
    await desk.open(path)
    await expect(page.get_by_text("已归档：不再发送")).to_be_visible()
    await page.get_by_role("button", name="恢复").click()
    await expect(page.get_by_role("alert")).to_contain_text("请先归档那一条")
    await admin.post(f"/api/v1/welcome-rules/{other['welcomeRuleId']}:archive", {})
    await page.get_by_role("button", name="恢复").click()
    await expect(page.get_by_role("button", name="归档")).to_be_visible()
    await admin.post(f"/api/v1{path}:archive", {})


async def test_who_may_not_write_rules_sees_no_way_to(sit: Sit) -> None:
    manager = await sit("MANAGER")
    await manager.open("/welcome-rules")
    await expect(manager.page.locator("tbody tr").first).to_be_visible()
    await expect(manager.page.get_by_role("button", name="新建欢迎语")).to_have_count(0)
    await expect(manager.page.locator("tbody a")).to_have_count(0)
    front = await sit("FRONTLINE")
    await front.open("/welcome-rules")
    await expect(front.page.get_by_text("这里需要别的权限")).to_be_visible()


async def test_welcomes_are_listed_by_how_they_ended(sit: Sit, admin: Client) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {400}
    page = desk.page
    state = admin.codes.states[1]  # type: ignore[attr-defined]
    await admin.sandbox("/sandbox/scan", {"state": state, "userid": "guide_001", "person": "欢迎记录"})

    async def listed() -> list[dict[str, str]]:
        query = {"outcomes": "WELCOME_OUTCOME_SENT", "userid": "guide_001", "pageSize": "50"}
        found: list[dict[str, str]] = (await admin.get("/api/v1/welcomes", **query))["welcomes"]
        return found

    await until(listed)
    await desk.open("/welcomes?outcomes=WELCOME_OUTCOME_SENT")
    await expect(page.get_by_role("alert")).to_contain_text("写明员工")
    await page.get_by_label("员工").fill("guide_001")
    await page.get_by_role("button", name="筛选", exact=True).click()
    await expect(page.locator("tbody tr")).to_have_count(len(await listed()))
    await expect(page.locator("tbody tr").first).to_contain_text("guide_001")
    await desk.look("welcomes")
    front = await sit("FRONTLINE")
    await front.open("/welcomes?outcomes=WELCOME_OUTCOME_SENT")
    await expect(front.page.get_by_role("heading", name="欢迎记录")).to_be_visible()
    await expect(front.page.get_by_label("结果")).to_have_value("WELCOME_OUTCOME_SENT")
    await expect(front.page.get_by_label("员工", exact=True)).to_have_count(0)
