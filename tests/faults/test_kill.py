"""Every process is killed in the middle of a replay, and every figure is right all the same."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from deploy.local.client import Client
from deploy.local.home import SERVICES, Home, Ports
from deploy.local.story import replay, set_up
from deploy.local.suite import Suite
from tests.conftest import free_port_base
from tests.waiting import until

BUYERS = 200
PER_SECOND = 110.0
# A welcome whose attempt was cut is repeated after its lease, inside WeCom's 20 seconds.
CALL_SECONDS, CODE_SECONDS = 5.0, 20.0


@pytest.mark.timeout(280)
@pytest.mark.parametrize("seed", [7, 11])
async def test_kill_everything_once(tmp_path: Path, seed: int) -> None:
    suite = Suite(Home(tmp_path / "home"), Ports(free_port_base()))
    order = ["gateway", *SERVICES, "nats", "postgres"]
    chance = random.Random(seed)
    chance.shuffle(order)
    kills: dict[str, tuple[float, float]] = {}
    try:
        suite.up(empty=True)
        async with Client(suite, suite.home.keys["corp_id"]) as client:
            codes = await set_up(client)
            work = asyncio.create_task(
                replay(client, codes, buyers=BUYERS, seed=seed, per_second=PER_SECOND, drain_seconds=120)
            )
            for name in order:
                await asyncio.sleep(chance.uniform(1.0, 2.5))  # a random point of the replay
                await until(lambda: _in_flight(client))
                began = time.time()
                suite.kill(name)
                await asyncio.sleep(chance.uniform(0.2, 1.0))  # an outage of some length
                suite.start(name)
                kills[name] = (began, time.time())
            state = await client.ask_sandbox("/sandbox/replay")
            assert state["running"], "the replay ended before everything was killed"
            result = await work
            wrong = [figure for figure in result.figures if not figure["equal"]]
            assert not wrong, (kills, wrong)
            assert result.disturbed
            assert result.replay["given_up"] == 0
            calls = (await client.ask_sandbox("/sandbox/calls", api="externalcontact/send_welcome_msg"))["calls"]
            check_welcomes(calls, kills)
    finally:
        suite.down()


async def _in_flight(client: Client) -> bool:
    """Something has been sent and not been acknowledged: the kill hits work, not rest."""
    return bool((await client.ask_sandbox("/sandbox/deliveries"))["open"] > 0)


def check_welcomes(calls: list[dict[str, Any]], kills: dict[str, tuple[float, float]]) -> None:
    """Once each; a second attempt only where a crash cut the first one, and inside the code's life."""
    by_code: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        by_code[call["body"]["welcome_code"]].append(call)
    assert len(by_code) == BUYERS
    for attempts in by_code.values():
        assert sum(call["errcode"] == 0 for call in attempts) == 1
        first, *others = attempts
        for other in others:
            assert other["at"] - first["at"] < CODE_SECONDS
            assert any(
                began - CALL_SECONDS <= first["at"] <= back + CALL_SECONDS
                for name, (began, back) in kills.items()
                if name in ("engagement", "postgres")
            ), (first, other, kills)
