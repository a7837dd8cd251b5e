"""Sets the loop up through the front door, replays the purchase log, and compares every figure with the referee."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from deploy.local.client import Client, Refused
from deploy.local.figures import Codes, read_figures
from deploy.sandbox.log import log_file

CODES = 8
EMPLOYEES = 200
SHANGHAI = timezone(timedelta(hours=8))
# It reads right without either name, too.
WELCOME = (
    "{% if customer.name %}{{ customer.name }}，{% endif %}您好！{% if staff.name %}我是{{ staff.name }}，{% endif %}"
    "很高兴认识您。回复“优惠”领取新人礼。"
)
CHANNEL_NAMES = ("门店海报", "包裹卡", "公众号菜单", "朋友圈广告", "直播间", "短信", "小程序", "老客推荐")
# The least of all messages that must have been duplicated, and displaced, for a run to count.
LEAST_DISTURBED = 0.10


@dataclass(frozen=True)
class Result:
    """`figures`: name, suite, referee, equal. `shown`: what nobody referees."""

    figures: list[dict[str, Any]]
    shown: dict[str, str]
    replay: dict[str, Any]
    seconds: float

    @property
    def disturbed(self) -> bool:
        least = LEAST_DISTURBED * self.replay["total"]
        return all(self.replay[what] >= least for what in ("duplicated", "reordered"))

    @property
    def ok(self) -> bool:
        return self.disturbed and all(figure["equal"] for figure in self.figures)

    def summary(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "figures": self.figures,
            "faults": {
                "duplicated": self.replay["duplicated"],
                "reordered": self.replay["reordered"],
                "orders_before_add": self.replay["orders_before_add"],
                "given_up": self.replay["given_up"],
            },
            "seed": self.replay["seed"],
            "seconds": round(self.seconds, 1),
            "shown": self.shown,
        }


async def sign_in_patiently(client: Client) -> None:
    """As the administrator. While the address book is being read for the first time, nobody is a member yet."""
    while True:
        try:
            await client.sign_in("admin")
            return
        except Refused as error:
            if "NOT_A_MEMBER" not in str(error):
                raise
            await asyncio.sleep(0.2)


async def set_up(client: Client) -> Codes:
    """Signs in, makes channels, live codes and a welcome; all through REST."""
    await sign_in_patiently(client)
    created = [(await client.post("/api/v1/channels", {"name": name}))["channel"] for name in CHANNEL_NAMES]
    codes = []
    for number, channel in enumerate(created):
        # 25 employees stand behind each code, so that the code says who adds a buyer first (docs/replay.md).
        userids = [f"guide_{e:03d}" for e in range(EMPLOYEES) if e * 7919 % CODES == number]
        body = {"channelId": channel["channelId"], "name": f"活码{number + 1}", "userids": userids}
        codes.append((await client.post("/api/v1/live-codes", body))["liveCode"])
    link = {"title": "新人礼", "url": "https://example.com/welcome", "description": "满 99 减 20"}
    await client.post("/api/v1/welcome-rules", {"text": WELCOME, "link": link})
    for code in codes:
        while code["status"] == "LIVE_CODE_STATUS_PENDING":
            await asyncio.sleep(0.1)
            code.update((await client.get(f"/api/v1/live-codes/{code['liveCodeId']}"))["liveCode"])
        if code["status"] != "LIVE_CODE_STATUS_ACTIVE":
            raise RuntimeError(f"live code {code['name']}: {code['status']} {code['failure']}")
    return Codes([channel["channelId"] for channel in created], [code["state"] for code in codes])


async def replay(
    client: Client,
    codes: Codes,
    *,
    buyers: int,
    seed: int,
    per_second: float = 0.0,
    without: Sequence[str] = (),
    watch: Callable[[dict[str, Any]], None] = lambda _: None,
    drain_seconds: float = 300.0,
) -> Result:
    """Replays and waits for every queue to be empty, then reads and compares. `without`: features left out."""
    today = datetime.now(SHANGHAI).date().isoformat()
    began = time.monotonic()
    body = {
        "corp_id": client.corp_id, "states": codes.states, "today": today, "buyers": buyers, "seed": seed,
        "per_second": per_second, "without": list(without),
    }  # fmt: skip
    state = await client.sandbox("/sandbox/replay", body)
    while state["running"]:
        watch(state)
        await asyncio.sleep(0.25)
        state = await client.ask_sandbox("/sandbox/replay", corp_id=client.corp_id)
    watch(state)
    await client.drained(drain_seconds)
    seconds = time.monotonic() - began
    suite, shown = await read_figures(client, codes)
    referee = ask_referee(log_file(), today, buyers, without)
    return Result(compare(suite, referee), shown, state, seconds)


def ask_referee(log: Path, today: str, buyers: int, without: Sequence[str] = ()) -> dict[str, int]:
    script = Path(__file__).with_name("referee.py")
    arguments = [str(log), today, str(buyers), ",".join(without)]
    done = subprocess.run([sys.executable, "-I", script, *arguments], capture_output=True, text=True, check=True)
    figures: dict[str, int] = json.loads(done.stdout)
    return figures


def compare(suite: dict[str, int], referee: dict[str, int]) -> list[dict[str, Any]]:
    """Every figure that either side knows; one that only one side knows is unequal."""
    names = [*referee, *(name for name in suite if name not in referee)]
    return [
        {
            "name": name,
            "suite": suite.get(name),
            "referee": referee.get(name),
            "equal": name in suite and suite[name] == referee.get(name),
        }
        for name in names
    ]
