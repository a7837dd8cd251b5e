"""A renamed employee, through the front door: every page follows, once, and prints how long it took."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from deploy.local.client import Client, Refused
from deploy.local.suite import Suite
from tests.e2e.test_story import scan, stream
from tests.waiting import until

FORMER, PRESENT = "guide_160", "guide_160.renamed"


async def customers(client: Client) -> set[str]:
    return {one["name"] for one in (await client.get("/api/v1/customers"))["customers"]}


async def orders(client: Client) -> set[str]:
    return {one["orderId"] for one in (await client.get("/api/v1/orders"))["orders"]}


async def alerts(client: Client) -> set[str]:
    return {one["cause"] for one in (await client.get("/api/v1/alerts"))["alerts"]}


async def welcomes(client: Client) -> set[str]:
    return {
        one["contactId"] for one in (await client.get("/api/v1/welcomes", outcomes="WELCOME_OUTCOME_SENT"))["welcomes"]
    }


PAGES: dict[str, Callable[[Client], Awaitable[set[str]]]] = {
    "customers": customers,
    "orders": orders,
    "alerts": alerts,
    "welcomes": welcomes,
}


async def shown(client: Client, page: str) -> set[str]:
    """What the page shows them; nothing to who may not come in."""
    try:
        return await PAGES[page](client)
    except Refused as refusal:
        assert refusal.status in (401, 403)
        return set()


async def signed_in(client: Client, userid: str) -> bool:
    try:
        await client.sign_in(userid)
        return bool(await client.status("/api/v1/me") == 200)
    except (Refused, KeyError):
        return False


async def test_every_page_of_a_renamed_employee_follows_once(
    suite: Suite, admin: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = asyncio.get_running_loop().time
    friend = await scan(admin, "to be renamed", FORMER)
    await admin.sandbox("/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "7.00"})
    async with Client(suite, admin.corp_id) as former, Client(suite, admin.corp_id) as present:
        await former.sign_in(FORMER)
        expected: dict[str, set[str]] = {}

        async def complete() -> bool:
            expected.update({page: await shown(former, page) for page in PAGES})
            return all(expected.values()) and len(expected["alerts"]) == 2

        await until(complete)
        renamed_at = clock()
        await admin.sandbox("/sandbox/member", {"userid": FORMER, "new_userid": PRESENT})
        events: list[str] = []
        took: dict[str, float] = {}

        def saw(event: str) -> None:
            if event not in events:
                events.append(event)
                took[event] = clock() - renamed_at

        async def follows() -> bool:
            if "signed in" not in events:
                if not await signed_in(present, PRESENT):
                    return False
                saw("signed in")
            whole = True
            for page in PAGES:
                seen = await shown(present, page)
                if seen == expected[page]:
                    saw(f"{page} gained")
                else:
                    assert f"{page} gained" not in events, f"{page}: shown, and gone again"
                    assert seen < expected[page]
                left = await shown(former, page)
                if not left:
                    saw(f"{page} lost")
                else:
                    assert f"{page} lost" not in events, f"{page}: gone, and shown again"
                whole = whole and seen == expected[page] and not left
            return whole

        await until(follows, seconds=30)
        assert events[0] == "signed in"
        assert {f"{page} {how}" for page in PAGES for how in ("gained", "lost")} == set(events[1:])
        with capsys.disabled():
            print("\nseconds after a rename:", {event: round(seconds, 2) for event, seconds in took.items()})

        # What comes now is theirs at once, live as well; the former session is over.
        async with stream(present, suite) as live:
            order = await admin.sandbox(
                "/sandbox/order", {"external_userid": friend["external_userid"], "yuan": "9.00"}
            )
            alert: dict[str, Any] = {}
            while alert.get("orderPaid", {}).get("orderId") != order["order_id"]:
                alert = json.loads((await asyncio.wait_for(live.get(), 15))["data"])
            assert alert["userid"] == PRESENT
        await admin.drained(40)
        assert await shown(former, "alerts") == set()
