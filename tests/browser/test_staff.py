"""Roles are granted where the employees are listed, and the address book is read when somebody asks."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Sit


async def role_of(admin: Client, userid: str) -> dict[str, Any]:
    return next(one for one in [row async for row in admin.each("/api/v1/staff", "staff")] if one["userid"] == userid)


async def test_an_employee_becomes_a_manager_of_departments(sit: Sit, admin: Client) -> None:
    departments = (await admin.get("/api/v1/departments"))["departments"]
    someone = (await admin.get("/api/v1/staff", pageSize="50"))["staff"][5]
    desk = await sit("ADMIN")
    page = desk.page
    await desk.open("/staff")
    row = page.locator("tbody tr").filter(has=page.get_by_text(someone["userid"], exact=True))
    await row.get_by_role("button", name="更改").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("角色", exact=True).select_option(label="部门主管")
    await dialog.get_by_label(departments[-1]["name"], exact=True).check()
    await desk.look("staff-role")
    await dialog.get_by_role("button", name="保存").click()
    await expect(dialog).to_have_count(0)
    await expect(row).to_contain_text("部门主管")
    granted = await role_of(admin, someone["userid"])
    assert granted["role"] == "ROLE_MANAGER"
    assert granted["managedDepartmentIds"] == [departments[-1]["departmentId"]]
    await row.get_by_role("button", name="更改").click()
    await expect(dialog.get_by_label(departments[-1]["name"], exact=True)).to_be_checked()
    await dialog.get_by_label("角色", exact=True).select_option(label="一线员工")
    await dialog.get_by_role("button", name="保存").click()
    await expect(row).to_contain_text("一线员工")


async def test_the_last_administrator_stays_one(sit: Sit) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {422}
    page = desk.page
    await desk.open("/staff")
    row = page.locator("tbody tr").filter(has=page.get_by_text("admin", exact=True))
    await row.get_by_role("button", name="更改").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("角色", exact=True).select_option(label="一线员工")
    await dialog.get_by_role("button", name="保存").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("先指定另一位管理员")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def test_the_address_book_is_read_now(sit: Sit, admin: Client) -> None:
    desk = await sit("ADMIN")
    await desk.open("/staff")
    await desk.page.get_by_role("button", name="同步通讯录").click()
    members = (await admin.post("/api/v1/staff:sync", {}))["members"]
    await expect(desk.page.get_by_text(f"已同步 {int(members):,} 名成员")).to_be_visible()


async def test_others_read_the_list_and_change_nothing(sit: Sit) -> None:
    desk = await sit("OPERATOR")
    await desk.open("/staff")
    await expect(desk.page.locator("tbody tr").first).to_be_visible()
    for name in ("更改角色", "同步通讯录"):
        await expect(desk.page.get_by_text(name)).to_have_count(0)
