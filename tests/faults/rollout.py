"""A roll-out under load: the release before and this one at the same databases and streams, and what must hold then."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import jwt

from deploy.local.client import Client, Refused
from deploy.local.figures import ALERT_ID
from deploy.local.home import SERVICES
from deploy.local.story import SHANGHAI, Result, replay, set_up
from deploy.local.suite import SERVERS, Suite
from deploy.sandbox.log import log_file
from deploy.sandbox.replay import FEATURES
from tests.faults.campaign import check_nothing_left
from tests.waiting import until

OURS = (*SERVICES, "gateway")
THIS = OURS
BESIDE = tuple(f"{process}.2" for process in OURS)


class Admin(Client):
    """Signed in with a session that we sign ourselves: the releases need not agree on how sign-in goes."""

    async def sign_in(self, userid: str) -> str:
        """Raises Refused while nobody is a member yet."""
        now = int(time.time())
        claims = {
            "corp": self.corp_id,
            "sub": userid,
            "aud": "session",
            "iat": now,
            "exp": now + 3600,
            "jti": "rollout",
        }
        self.token = jwt.encode(claims, self._suite.home.keys["session"], "HS256")
        await self.get("/api/v1/me")
        return self.token


def begin(suite: Suite, names: Sequence[str]) -> None:
    """Together, as a cluster starts them."""
    for name in names:
        suite.start(name, wait=False)
    for name in names:
        suite.wait_ready(name)


def end(suite: Suite, names: Sequence[str]) -> None:
    """As a cluster ends them: told, and given time to drain."""
    for name in names:
        suite.stop(name)


async def roll_out(suite: Suite, tree: Path, *, old_first: bool, seed: int, buyers: int, per_second: float) -> Result:
    """Replays while the release in `tree` and this one run alone, then together, with the old one restarted in between,
    and then this one alone. Returns what the suite and the referee say at the end."""
    suite.home.prepare(suite.ports, empty=True)
    for name in SERVERS:
        await asyncio.to_thread(suite.start, name)
    suite.trees.update(dict.fromkeys(BESIDE, tree))
    first, second = (BESIDE, THIS) if old_first else (THIS, BESIDE)
    suite.gateway = suite.gateways[1] if old_first else suite.gateways[0]
    await asyncio.to_thread(begin, suite, first)
    async with Admin(suite, suite.home.keys["corp_id"]) as client:
        codes = await set_up(client)
        # The world that the release before knew: one app is told, and the shop tells without being asked.
        # Five attempts: a gateway that is replaced closes its door at once, and the sandbox does not look who is well.
        await client.sandbox("/sandbox/faults", {"shop_tells_unasked": 1, "attempts": 5})
        running = asyncio.create_task(
            replay(
                client,
                codes,
                buyers=buyers,
                seed=seed,
                per_second=per_second,
                without=tuple(FEATURES),
                drain_seconds=120,
            )
        )

        async def sent(share: float) -> None:
            async def enough() -> bool:
                try:
                    state = await client.ask_sandbox("/sandbox/replay", corp_id=client.corp_id)
                except Refused:
                    return running.done()  # not begun yet
                return running.done() or bool(state["sent"] >= share * state["total"])

            await until(enough, seconds=120)

        await sent(0.2)
        await asyncio.to_thread(begin, suite, second)
        suite.gateway = suite.gateways[0]
        await sent(0.45)
        await asyncio.to_thread(end, suite, BESIDE)
        await asyncio.to_thread(begin, suite, BESIDE)
        await sent(0.7)
        await asyncio.to_thread(end, suite, BESIDE)
        suite.trees.clear()
        await asyncio.to_thread(begin, suite, BESIDE)
        result = await running
        await check(suite, client, result, tree, buyers)
        return result


async def check(suite: Suite, client: Client, result: Result, tree: Path, buyers: int) -> None:
    """All that the release before knew of equals what its own referee says; nothing was told twice or given up."""
    known = json.loads(
        subprocess.run(
            [sys.executable, "-I", tree / "deploy/local/referee.py", log_file(), _today(), str(buyers)],
            capture_output=True,
            check=True,
        ).stdout
    )
    figures = {figure["name"]: figure["suite"] for figure in result.figures}
    # Read by kind now; and orders name an openid, of which the release before takes no notice.
    paid_alerts = known.pop("alerts_raised")
    for name in ("alerts_delivered", "alerts_received", "identifiers"):
        known.pop(name)
    known["alerts_order_paid"] = paid_alerts
    wrong = {name: (figures.get(name), value) for name, value in known.items() if figures.get(name) != value}
    assert not wrong, wrong
    assert result.replay["given_up"] == 0, f"{result.replay['given_up']} messages were given up"
    told = [one for content in await client.received_messages() for one in ALERT_ID.findall(content)]
    assert len(told) == len(set(told)), "an alert reached a phone twice"
    calls = (await client.ask_sandbox("/sandbox/calls", api="externalcontact/send_welcome_msg"))["calls"]
    welcomed: dict[str, int] = defaultdict(int)
    for call in calls:
        welcomed[call["body"]["welcome_code"]] += call["errcode"] == 0
    assert max(welcomed.values()) == 1, "a customer was welcomed twice"
    await check_nothing_left(suite)


def _today() -> str:
    return datetime.now(SHANGHAI).date().isoformat()
