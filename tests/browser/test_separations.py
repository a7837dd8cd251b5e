"""Two people who were taken for one: parted by whoever looks after the house, and the other way round."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from deploy.local.client import Client
from tests.browser.conftest import Sit
from tests.browser.test_live import befriended
from tests.waiting import until


async def linked(admin: Client) -> tuple[str, list[dict[str, Any]]]:
    """A customer whose identifiers evidence links, and the evidence."""
    friend = await befriended(admin, "browser linked", "guide_003")
    await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "3.00"})

    path = f"/api/v1/contacts/{friend['external_userid']}/customer"

    async def found() -> tuple[str, list[dict[str, Any]]] | None:
        if await admin.status(path) != 200:
            return None
        customer_id = (await admin.get(path))["customer"]["customerId"]
        evidence = (await admin.get(f"/api/v1/customers/{customer_id}/evidence"))["evidence"]
        return (customer_id, evidence) if evidence else None

    await until(found)
    # Another fact may link more, under the id of an elder customer.
    await admin.drained(20)
    result = await found()
    assert result is not None
    return result


def agree(page: Page) -> None:
    page.on("dialog", lambda dialog: dialog.accept())


async def test_evidence_is_revoked_restored_and_kept_apart(sit: Sit, admin: Client) -> None:
    customer_id, evidence = await linked(admin)
    desk = await sit("ADMIN")
    desk.expected |= {400, 404}
    page = desk.page
    agree(page)
    await desk.open(f"/customers/{customer_id}")
    await page.get_by_role("link", name="为什么是同一个人").click()
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(len(evidence))
    await desk.look("evidence")
    await rows.first.get_by_role("button", name="撤回").click()
    await expect(rows.first.get_by_text("已撤回")).to_be_visible()
    await rows.first.get_by_role("button", name="恢复").click()
    await expect(rows.first.get_by_text("算数")).to_be_visible()
    await rows.first.get_by_role("link", name="分开").click()
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("[data-field=note] .error")).to_be_visible()
    await page.get_by_label("另一个标识").fill("nobody")
    await page.get_by_label("原因").fill("<b>两位顾客</b>")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("[data-field=other] .error")).to_be_visible()
    await page.get_by_label("另一个标识").fill(evidence[0]["otherIdentifierId"])
    await page.get_by_role("button", name="保存").click()
    row = page.locator("tbody tr").first
    await expect(row).to_contain_text("<b>两位顾客</b>")
    await desk.look("separations")
    declared = (await admin.get("/api/v1/separations"))["separations"][0]
    assert {declared["identifierId"], declared["otherIdentifierId"]} == {
        evidence[0]["identifierId"],
        evidence[0]["otherIdentifierId"],
    }
    await row.get_by_role("button", name="撤销").click()
    await expect(row.get_by_text("已撤销")).to_be_visible()


async def test_only_an_administrator_parts_people(sit: Sit) -> None:
    desk = await sit("OPERATOR")
    await desk.open("/separations")
    await expect(desk.page.get_by_text("这里需要别的权限")).to_be_visible()


async def test_a_policy_is_tried_before_it_is_set(sit: Sit, admin: Client) -> None:
    policies = (await admin.get("/api/v1/identifier-policies"))["policies"]
    desk = await sit("ADMIN")
    desk.expected |= {400}
    page = desk.page
    agree(page)
    await desk.open("/identifier-policies")
    await expect(page.locator("tbody tr")).to_have_count(len(policies))
    await desk.look("identifier-policies")
    await page.get_by_role("link", name="手机号").click()
    await page.get_by_label("一人最多").fill("many")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("[data-field=mostPerCustomer] .error")).to_contain_text("1 到 100")
    before = next(one for one in policies if one["kind"] == "phone")
    await page.get_by_label("一人最多").fill(str(before["mostPerCustomer"] + 1))
    await page.get_by_label("新的不认的值").fill("13900001111\nnull")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("[data-field=deniedValues] .error")).to_be_visible()
    await desk.look("identifier-policy")
    await page.get_by_label("新的不认的值").fill("13900001111")
    await page.get_by_role("button", name="保存").click()
    row = page.get_by_role("row", name="手机号")
    await expect(row).to_contain_text("admin 设定")
    # A change of something else leaves the denied value denied.
    await row.get_by_role("link", name="手机号").click()
    await page.get_by_label("一人最多").fill(str(before["mostPerCustomer"]))
    await page.get_by_role("button", name="保存").click()
    await expect(row).to_contain_text("1 个")
    after = {one["kind"]: one for one in (await admin.get("/api/v1/identifier-policies"))["policies"]}["phone"]
    assert (after["mostPerCustomer"], after["denied"]) == (before["mostPerCustomer"], 1)
    # It looks at the customers once more after half a minute; the tests behind this one wait less for their own.
    await admin.drained(60)
