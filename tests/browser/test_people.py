"""Customers by their filters, a customer's timeline, staff and departments: what the API says, in the browser."""

from __future__ import annotations

from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Desk, Sit
from tests.browser.test_live import befriended


async def names(desk: Desk) -> list[str]:
    return await desk.page.locator("tbody td:first-child").all_inner_texts()


async def test_customers_are_found_by_the_beginning_of_their_name(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser prefix", "guide_005")
    await admin.drained(20)
    customer = (await admin.get(f"/api/v1/contacts/{friend['external_userid']}/customer"))["customer"]
    beginning = customer["name"][:2]
    listed = await admin.get("/api/v1/customers", name=beginning, withTotal="true")
    assert customer["customerId"] in [one["customerId"] for one in listed["customers"]]
    desk = await sit("ADMIN")
    await desk.open("/customers")
    await desk.page.get_by_label("名称开头").fill(beginning)
    await desk.page.get_by_role("button", name="筛选", exact=True).click()
    await expect(desk.page.locator("tbody tr")).to_have_count(len(listed["customers"]))
    assert await names(desk) == [one["name"] for one in listed["customers"]]
    await expect(desk.page.locator("footer")).to_contain_text(f"共 {int(listed['total']['count']):,}")
    await desk.page.get_by_role("button", name="首次出现").click()
    await expect(desk.page.get_by_role("columnheader", name="首次出现")).to_have_attribute("aria-sort", "ascending")
    upwards = await admin.get("/api/v1/customers", name=beginning, orderBy="created_at")
    await expect(desk.page.locator("tbody td:first-child").first).to_have_text(upwards["customers"][0]["name"])
    await desk.look("customers-by-name")


async def test_a_customer_whose_relation_ends_moves_on_the_open_card(sit: Sit, admin: Client) -> None:
    friend = await befriended(admin, "browser timeline", "guide_004")
    await admin.drained(20)
    found = await admin.get(f"/api/v1/contacts/{friend['external_userid']}/customer")
    desk = await sit("ADMIN")
    await desk.open(f"/customers/{found['customer']['customerId']}")
    await expect(desk.page.get_by_text("guide_004 添加了好友")).to_be_visible()
    ended = {"external_userid": friend["external_userid"], "userid": "guide_004", "by": "customer"}
    await admin.sandbox("/sandbox/delete", ended)
    await expect(desk.page.get_by_text("与 guide_004 的好友关系结束")).to_be_visible(timeout=20_000)
    await desk.look("customer-timeline")


async def test_departments_lead_to_their_staff_and_customers(sit: Sit, admin: Client) -> None:
    await befriended(admin, "browser department", "guide_003")
    await admin.drained(20)
    departments = (await admin.get("/api/v1/departments", pageSize="200"))["departments"]
    desk = await sit("ADMIN")
    await desk.open("/departments")
    await expect(desk.page.locator("tbody tr")).to_have_count(len(departments))
    await desk.look("departments")
    lowest = departments[-1]
    await desk.page.get_by_role("link", name=f"{lowest['name']} 员工").click()
    listed = await admin.get("/api/v1/staff", departmentId=lowest["departmentId"], withTotal="true")
    await expect(desk.page.locator("tbody tr")).to_have_count(min(50, int(listed["total"]["count"])))
    await expect(desk.page.locator("form select").first).to_have_value(lowest["departmentId"])
    await desk.page.get_by_label("姓名或账号开头").fill("guide_00")
    await desk.page.get_by_role("button", name="筛选", exact=True).click()
    some = await admin.get("/api/v1/staff", departmentId=lowest["departmentId"], name="guide_00")
    await expect(desk.page.locator("tbody tr")).to_have_count(len(some["staff"]))
    await desk.look("staff-of-a-department")
    await desk.open(f"/customers?departmentId={departments[0]['departmentId']}")
    theirs = await admin.get("/api/v1/customers", departmentId=departments[0]["departmentId"])
    await expect(desk.page.locator("tbody tr")).to_have_count(len(theirs["customers"]))


async def test_a_wrong_filter_is_said_and_an_employee_has_no_departments(sit: Sit) -> None:
    desk = await sit("ADMIN")
    desk.expected |= {400}
    await desk.open("/customers?name=12345678901234567890")
    await expect(desk.page.get_by_role("alert")).to_contain_text("名称开头")
    await desk.open("/staff?role=NONSENSE")
    await expect(desk.page.get_by_role("alert")).to_contain_text("角色")
    frontline = await sit("FRONTLINE")
    await frontline.open("/customers")
    await expect(frontline.page.get_by_label("名称开头")).to_be_visible()
    await expect(frontline.page.get_by_label("跟进员工")).to_have_count(0)
    await frontline.open("/departments")
    await expect(frontline.page.locator("tbody")).to_have_count(0)
