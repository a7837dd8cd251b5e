"""The alert page: filtered by what became of an alert, counted, and each their own."""

from __future__ import annotations

from playwright.async_api import expect

from deploy.local.client import Client
from tests.browser.conftest import Sit
from tests.waiting import until


async def test_alerts_are_filtered_by_status_and_counted(sit: Sit, admin: Client) -> None:
    state = admin.codes.states[1]  # type: ignore[attr-defined]
    await admin.sandbox("/sandbox/scan", {"state": state, "userid": "guide_001", "person": "提醒筛选"})
    query = {"status": "ALERT_STATUS_LISTED", "userid": "guide_001", "pageSize": "50", "withTotal": "true"}

    async def listed() -> list[dict[str, str]]:
        found: list[dict[str, str]] = (await admin.get("/api/v1/alerts", **query))["alerts"]
        return found

    await until(listed)
    desk = await sit("ADMIN")
    await desk.open("/alerts?userid=guide_001")
    await desk.page.get_by_label("发送").select_option("ALERT_STATUS_LISTED")
    answer = await admin.get("/api/v1/alerts", **query)
    await expect(desk.page.locator("tbody tr")).to_have_count(len(answer["alerts"]))
    assert await desk.page.locator("tbody td:first-child").all_inner_texts() == [
        one["sentence"] for one in answer["alerts"]
    ]
    await expect(desk.page.get_by_text(f"共 {int(answer['total']['count']):,} 条")).to_be_visible()
    await desk.look("alerts-status")
    front = await sit("FRONTLINE")
    await front.open("/alerts?status=ALERT_STATUS_LISTED")
    await expect(front.page.get_by_label("发送")).to_have_value("ALERT_STATUS_LISTED")
    await expect(front.page.get_by_label("员工", exact=True)).to_have_count(0)
