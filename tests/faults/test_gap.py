"""An outage longer than WeCom's re-sends: what was given up is exactly the gap that the suite reports."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deploy.local.client import Client
from deploy.local.story import EMPLOYEES, set_up
from tests.faults.campaign import Field
from tests.waiting import until

# The guides, and those who have a role from the start.
STAFF = EMPLOYEES + 3
BEFORE, DURING = 15, 30
# The sandbox re-sends for 20 seconds when the door is shut.
OUTAGE_SECONDS = 27.0


async def gaps(client: Client) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Employee → external_userids that only WeCom knows; and the sums over all employees."""
    missing: dict[str, set[str]] = {}
    sums = {"staff": 0, "ours": 0, "wecoms": 0, "surplus": 0}
    token = ""
    while True:
        page = await client.get("/api/v1/relation-gaps", pageToken=token)
        for gap in page["gaps"]:
            missing[gap["userid"]] = set(gap["missing"])
            sums["surplus"] += int(gap["surplus"])
        for name in ("staff", "ours", "wecoms"):
            sums[name] += int(page[name])
        token = page["nextPageToken"]
        if not token:
            return missing, sums


@pytest.mark.timeout(200)
async def test_the_gap_is_what_was_given_up(ground: Field) -> None:
    corp_id = ground.suite.home.corps[-1]["corp_id"]
    async with Client(ground.suite, corp_id) as client:
        codes = await set_up(client)

        async def scan(number: int) -> dict[str, Any]:
            body = {"corp_id": corp_id, "state": codes.states[number % 8], "person": f"gap {number}"}
            return await client.sandbox("/sandbox/scan", body)

        for number in range(BEFORE):
            await scan(number)
        await client.drained(60)
        assert await gaps(client) == ({}, {"staff": STAFF, "ours": BEFORE, "wecoms": BEFORE, "surplus": 0})

        for name in ground.suite.names("gateway"):
            ground.suite.kill(name)
        friends = []
        # Some at its beginning, some while it lasts: the last ones are re-sent to a door that is open again.
        for number in range(BEFORE, BEFORE + DURING):
            friends.append(await scan(number))
            await asyncio.sleep(OUTAGE_SECONDS / DURING)
        for name in ground.suite.names("gateway"):
            ground.suite.start(name)

        async def nothing_open() -> bool:
            return bool((await client.ask_sandbox("/sandbox/deliveries"))["open"] == 0)

        await until(nothing_open, seconds=60)
        await client.drained(90)
        deliveries = (await client.ask_sandbox("/sandbox/deliveries", all="1"))["deliveries"]
        ours = [one for one in deliveries if corp_id in one["path"] and one["about"]]
        # Both apps are told of an add: we hear of it if one of them is.
        given_up = {one["about"] for one in ours} - {one["about"] for one in ours if one["status"] == "delivered"}
        assert given_up, "the outage was too short to prove anything"
        assert len(given_up) < DURING
        expected: dict[str, set[str]] = {}
        for friend in friends:
            if friend["external_userid"] in given_up:
                expected.setdefault(friend["userid"], set()).add(friend["external_userid"])
        missing, sums = await gaps(client)
        assert missing == expected
        assert sums == {
            "staff": STAFF, "ours": BEFORE + DURING - len(given_up), "wecoms": BEFORE + DURING, "surplus": 0
        }  # fmt: skip
