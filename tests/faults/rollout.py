"""A roll-out under load: the release before and this one at the same databases and streams, and what must hold then."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.client import Client
from deploy.local.home import SERVICES
from deploy.local.story import Result, replay, set_up
from deploy.local.suite import SERVERS, Suite
from deploy.sandbox.replay import FEATURES
from tests.faults.campaign import PATIENT_ATTEMPTS
from tests.faults.progress import share_sent
from tests.faults.verdict import check_nothing_left, check_told
from tests.waiting import until

OURS = (*SERVICES, "gateway")
FIRST, SECOND = OURS, tuple(f"{process}.2" for process in OURS)


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
    and then this one alone. Whoever comes first serves sign-in and set-up. Returns what suite and referee say at the
    end."""
    suite.home.prepare(suite.ports, empty=True)
    for name in SERVERS:
        await asyncio.to_thread(suite.start, name)
    old = FIRST if old_first else SECOND
    suite.trees.update(dict.fromkeys(old, tree))
    await asyncio.to_thread(begin, suite, FIRST)
    async with Client(suite, suite.home.keys["corp_id"]) as client:
        codes = await set_up(client)
        await client.sandbox("/sandbox/faults", {"attempts": PATIENT_ATTEMPTS})
        running = asyncio.create_task(
            replay(
                client,
                codes,
                buyers=buyers,
                seed=seed,
                per_second=per_second,
                without=sorted(set(FEATURES) - known_features(tree)),
                drain_seconds=120,
            )
        )

        async def sent(share: float) -> None:
            async def enough() -> bool:
                return running.done() or await share_sent(client) >= share

            await until(enough, seconds=120)

        await sent(0.2)
        await asyncio.to_thread(begin, suite, SECOND)
        await sent(0.45)
        await asyncio.to_thread(end, suite, old)
        await asyncio.to_thread(begin, suite, old)
        await sent(0.7)
        await asyncio.to_thread(end, suite, old)
        suite.trees.clear()
        await asyncio.to_thread(begin, suite, old)
        result = await running
        await check(suite, client, result)
        return result


def known_features(tree: Path) -> set[str]:
    """What of the replay's world the release in `tree` knows."""
    program = "import json; from deploy.sandbox.replay import FEATURES; print(json.dumps(list(FEATURES)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tree), str(tree / "proto/gen")))}
    done = subprocess.run([sys.executable, "-c", program], cwd=tree, env=environment, capture_output=True, check=True)
    return set(json.loads(done.stdout))


async def check(suite: Suite, client: Client, result: Result) -> None:
    """Nothing was lost, given up, told twice or left; and no more welcomes reached customers than were due."""
    await check_told(client, result)
    calls = (await client.ask_sandbox("/sandbox/calls", api="externalcontact/send_welcome_msg"))["calls"]
    welcomed = sum(call["errcode"] == 0 for call in calls)
    due = next(figure["referee"] for figure in result.figures if figure["name"] == "welcomes_sent")
    assert welcomed == due, f"{welcomed} welcomes reached customers where {due} were due"
    await check_nothing_left(suite)
