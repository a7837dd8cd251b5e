"""`make soak`: the fault campaign on the whole log, round after round; in the middle a roll-out and elections.

python -m tests.faults.soak --minutes 10 [--seed N] [--buyers N]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from deploy.local.home import Home, Ports
from deploy.local.suite import Suite
from tests.conftest import free_port_base
from tests.faults.campaign import CELLS, Field, play, spread
from tests.faults.election import elections
from tests.faults.release import check_out
from tests.faults.rollout import roll_out

# Of each of the two replays: what two cores carry with everything running twice.
PER_SECOND = 110.0
HALF_WAY_BUYERS = 600


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--buyers", type=int, default=0, help="0: the whole log")
    arguments = parser.parse_args()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="bihuan-soak-"))
    try:
        asyncio.run(soak(folder, arguments.minutes, arguments.seed, arguments.buyers))
    except Exception as error:
        traceback.print_exception(error)
        print(f"FAILED, seed {arguments.seed}; the logs are in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    minutes = (time.monotonic() - began) / 60
    print(f"soaked for {minutes:.1f} minutes, seed {arguments.seed}: zero lost, zero doubled")
    return 0


async def soak(folder: Path, minutes: float, seed: int, buyers: int) -> None:
    """Rounds until the time is up, each of two new corps and a part of the matrix; when half of it is, a roll-out and
    elections."""
    began, rounds, half_way = time.monotonic(), 0, False

    def passed() -> float:
        return time.monotonic() - began

    def say(what: str) -> None:
        print(f"{passed():6.0f} s  {what}", flush=True)

    ground = Field(folder / "field", corps=2 * (int(minutes) + 2))
    await asyncio.to_thread(ground.up)
    try:
        while rounds == 0 or passed() < minutes * 60:
            cells = spread(CELLS, 3, seed + rounds // 3)[rounds % 3]
            mine = ground.corp_ids[2 * rounds : 2 * rounds + 2]
            await play(ground, mine, cells, seed + rounds, buyers=buyers, per_second=PER_SECOND)
            rounds += 1
            struck = ", ".join(f"{cell.process} {cell.phase}" for cell in cells)
            say(f"round {rounds}: every figure equal after {struck}")
            if not half_way and passed() > minutes * 30:
                half_way = True
                await roll_out_in(folder / "roll-out", seed)
                say("the release before, rolled out under load: every figure equal")
                await elections(folder / "election", seed=seed, buyers=HALF_WAY_BUYERS, per_second=PER_SECOND)
                say("leaders elected and a server of the cluster lost under load: every figure equal")
    finally:
        await asyncio.to_thread(ground.down)


async def roll_out_in(folder: Path, seed: int) -> None:
    folder.mkdir()
    suite = Suite(Home(folder / "home"), Ports(free_port_base()), replicas=2)
    try:
        tree = await asyncio.to_thread(check_out, folder)
        await roll_out(suite, tree, old_first=True, seed=seed, buyers=HALF_WAY_BUYERS, per_second=PER_SECOND)
    finally:
        await asyncio.to_thread(suite.down)


if __name__ == "__main__":
    sys.exit(main())
