"""Faults while purchase logs are replayed, two corps at once, two replicas of everything; and what must hold then.

`python -m tests.faults.soak --minutes 10` runs it on the whole log for as long as wanted (`make soak`).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import asyncpg

from deploy.local.client import Client
from deploy.local.home import SERVICES, Home, Ports
from deploy.local.story import Result, replay, set_up
from deploy.local.suite import SERVERS, Suite
from tests.conftest import free_port, free_port_base
from tests.faults.flood import Flood
from tests.faults.link import Links, Wire
from tests.faults.verdict import check_nothing_left, check_told
from tests.waiting import until

OURS = ("gateway", *SERVICES)
ACK_WAIT_SECONDS = 11.0
# Longer than every lease: acks wait 11 s here, effects 15 s, tokens 10 s.
FREEZE_SECONDS = 17.0
# NATS is the door's floor: frozen for longer than WeCom re-sends, deliveries are given up (test_gap.py).
NATS_FREEZE_SECONDS = 6.0
CUT_SECONDS = 14.0
# A welcome whose attempt was cut is repeated after its lease, inside WeCom's 20 seconds.
CALL_SECONDS, CODE_SECONDS = 5.0, 20.0
# How often the sandbox sends a callback. WeCom documents three attempts and no spacing; five outlast what is killed,
# frozen and cut here, and the moment in which a gateway that is replaced refuses, so that what is lost is lost by us.
PATIENT_ATTEMPTS = 5
KILL, FREEZE, CUT = "kill", "freeze", "cut"
# Told to end, as for an upgrade, and started again. NATS leads its streams no more meanwhile.
RESTART = "restart"
# One corp sends what nobody can read, while the others are replayed.
CORP, FLOOD = "corp", "flood"
# Calls to WeCom and the mall have their effect, and of this share the answer is lost.
UNANSWERED, UNANSWERED_RATE = "unanswered", 0.2


@dataclass(frozen=True)
class Cell:
    """One process and what happens to it."""

    process: str
    phase: str


# The sandbox is WeCom and the mall, whose memory does not die: to kill it is to end its API's connections and to refuse
# new ones for a while. PostgreSQL and NATS are cut off from whoever is cut.
CELLS = (
    *(
        Cell(process, phase)
        for process in (*OURS, *SERVERS)
        for phase in (KILL, FREEZE, CUT)
        if phase != CUT or process not in ("postgres", "nats")
    ),
    Cell("sandbox", UNANSWERED),
    Cell("postgres", RESTART),
    Cell("nats", RESTART),
    Cell(CORP, FLOOD),
)


Span = tuple[float, float]  # seconds since the epoch


@dataclass
class Windows:
    """When which replica was disturbed."""

    by_name: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))

    @property
    def processes(self) -> set[str]:
        return {name.partition(".")[0] for name in self.by_name}

    def near(self, at: float, processes: Sequence[str], seconds: float) -> bool:
        return any(
            began - seconds <= at <= ended + seconds
            for name, spans in self.by_name.items()
            for began, ended in spans
            if name.partition(".")[0] in processes
        )

    def away(self, names: Sequence[str]) -> list[Span]:
        """When all of these replicas were disturbed at once."""
        common = self.by_name.get(names[0], [])
        for name in names[1:]:
            common = [
                (max(a, c), min(b, d))
                for a, b in common
                for c, d in self.by_name.get(name, [])
                if max(a, c) < min(b, d)
            ]
        return common


# What late welcomes are missing from.
OF_WELCOMES = ("welcomes_sent", "welcomes_late", "welcomes_by_employee", "welcomes_by_code")


class Field:
    """A suite of two of everything, whose second replicas reach the servers over wires that can be cut, as all of them
    reach WeCom and the mall. `corp_ids`: corps to be replayed; one more is flooded."""

    def __init__(self, folder: Path, corps: int) -> None:
        ports = Ports(free_port_base())
        self.links = Links()
        api = self.links.lay(ports.sandbox, free_port)
        home = Home(folder / "home", corps=1 + corps, api_port=api.port)
        home.prepare(ports, empty=True)
        flooded, *self.corp_ids = [corp["corp_id"] for corp in home.corps]
        door = self.links.lay(ports.nats, free_port)
        self._wires: dict[str, list[Wire]] = {"sandbox": [api], "gateway.2": [door]}
        environments = {service: {"BIHUAN_ACK_WAIT_SECONDS": str(ACK_WAIT_SECONDS)} for service in SERVICES}
        environments |= {"gateway.2": {"NATS_URL": home.nats_url(ports).replace(f":{ports.nats}", f":{door.port}")}}
        for service in SERVICES:
            name = f"{service}.2"
            database = self.links.lay(ports.postgres, free_port)
            bus = self.links.lay(ports.nats, free_port)
            self._wires[name] = [database, bus]
            environments[name] = environments[service] | {
                f"{service.upper()}_DATABASE_URL": home.postgres_url(ports, service).replace(
                    f":{ports.postgres}/", f":{database.port}/"
                ),
                "NATS_URL": home.nats_url(ports).replace(f":{ports.nats}", f":{bus.port}"),
            }
        self.suite = Suite(home, ports, replicas=2, environments=environments)
        self.flood = Flood(self.suite, flooded)

    def up(self) -> None:
        self.suite.up(empty=False)
        # A renamed member takes messages until we have heard of it, however long we were away.
        self.faults(attempts=PATIENT_ATTEMPTS, former_userid_seconds=600)

    def faults(self, **values: float) -> None:
        request = Request(f"{self.suite.sandbox}/sandbox/faults", json.dumps(values).encode(), method="POST")
        with urlopen(request, timeout=10):
            pass

    def down(self) -> None:
        self.suite.down()
        self.links.close()

    async def strike(self, cell: Cell, chance: random.Random, windows: Windows) -> None:
        began = time.time()
        if cell == Cell("sandbox", KILL):
            struck = ["sandbox"]
            self._each_wire("sandbox", self.links.break_)
            await asyncio.sleep(chance.uniform(0.2, 3.0))
            self._each_wire("sandbox", self.links.mend)
        elif cell.phase == UNANSWERED:
            struck = ["sandbox"]
            await asyncio.to_thread(self.faults, answer_lost=UNANSWERED_RATE)
            await asyncio.sleep(CUT_SECONDS)
            await asyncio.to_thread(self.faults, answer_lost=0.0)
        elif cell.phase == KILL:
            # One replica or all of them, for a while that WeCom's re-sends outlast.
            names = self.suite.names(cell.process)
            struck = list(names) if chance.random() < 0.5 else [chance.choice(names)]
            for name in struck:
                self.suite.kill(name)
            await asyncio.sleep(chance.uniform(0.2, 3.0))
            for name in struck:
                await asyncio.to_thread(self.suite.start, name)
        elif cell.phase == RESTART:
            struck = [cell.process]
            await asyncio.to_thread(self.suite.stop, cell.process)
            await asyncio.to_thread(self.suite.start, cell.process)
        elif cell.phase == FLOOD:
            struck = [cell.process]
            await self.flood.rise()
        elif cell.phase == FREEZE:
            struck = [chance.choice(self.suite.names(cell.process))]
            self.suite.pause(struck[0])
            await asyncio.sleep(NATS_FREEZE_SECONDS if cell.process == "nats" else FREEZE_SECONDS)
            self.suite.resume(struck[0])
        else:
            struck = ["sandbox" if cell.process == "sandbox" else f"{cell.process}.2"]
            self._each_wire(struck[0], self.links.cut)
            await asyncio.sleep(CUT_SECONDS)
            self._each_wire(struck[0], self.links.mend)
        for name in struck:
            windows.by_name[name].append((began, time.time()))

    def _each_wire(self, name: str, do: Callable[[Wire], None]) -> None:
        for wire in self._wires[name]:
            do(wire)


async def play(
    ground: Field, corp_ids: Sequence[str], cells: Sequence[Cell], seed: int, *, buyers: int, per_second: float
) -> Windows:
    """Replays for all these corps at once while the cells strike at random points with work in flight; checks all."""
    chance, windows = random.Random(seed), Windows()
    clients = [Client(ground.suite, corp_id) for corp_id in corp_ids]
    try:
        codes = [await set_up(client) for client in clients]
        running = [
            asyncio.create_task(
                replay(client, code, buyers=buyers, seed=seed * 100 + n, per_second=per_second, drain_seconds=240)
            )
            for n, (client, code) in enumerate(zip(clients, codes, strict=True))
        ]
        strikes = []
        for cell in cells:
            await asyncio.sleep(chance.uniform(0.5, 2.5))  # a random point of the replay
            if cell.process != "sandbox":
                await until(lambda: _in_flight(clients[0]), seconds=60)
            strikes.append(asyncio.create_task(ground.strike(cell, chance, windows)))
            if cell.phase == KILL or cell.process in SERVERS:
                await strikes[-1]  # kills and servers one after another; frozen and cut replicas overlap with them
        await asyncio.gather(*strikes)
        results = await asyncio.gather(*running)
        # A sandbox that had no turn for seconds answered as little as one that we froze.
        stalls = (await clients[0].ask_sandbox("/sandbox/stalls"))["stalls"]
        windows.by_name["sandbox"] += [(began, ended) for began, ended in stalls]
        for client, result in zip(clients, results, strict=True):
            await check(ground.suite, client, result, windows)
        await ground.flood.ebb()
        await check_nothing_left(ground.suite)
        return windows
    except AssertionError as error:
        error.add_note(f"struck: {dict(windows.by_name)}")
        raise
    finally:
        for client in clients:
            await client.session.close()


async def _in_flight(client: Client) -> bool:
    """Something has been sent and not been acknowledged: the strike hits work, not rest."""
    return bool((await client.ask_sandbox("/sandbox/deliveries"))["open"] > 0)


async def check(suite: Suite, client: Client, result: Result, windows: Windows) -> None:
    """Every figure equals the referee's; each effect happened once, or as rule 6 of the design allows."""
    assert min(result.replay["duplicated"], result.replay["reordered"]) > result.replay["total"] / 20
    figures = {figure["name"]: figure for figure in result.figures}
    adds, late_codes = await late_only_while_nobody_was_there(suite, client.corp_id, windows)
    if late_codes:
        # Nobody can welcome within 20 seconds of an outage that takes them: late ones are counted, none is lost.
        for name in OF_WELCOMES:
            figures[name]["equal"] = adds == figures["welcomes_sent"]["referee"]
    await check_told(client, result)
    calls = (await client.ask_sandbox("/sandbox/calls", api="externalcontact/send_welcome_msg"))["calls"]
    check_welcomes([call for call in calls if call["corp_id"] == client.corp_id], figures, late_codes, windows)


async def late_only_while_nobody_was_there(suite: Suite, corp_id: str, windows: Windows) -> tuple[int, int]:
    """How many adds were welcomed or late, and how many codes were late; each of these must have met, inside its 20
    seconds, a time in which all replicas of a service on its way, or a server, were struck. One replica that lives is
    enough. An add has a code for each app that was told of it.

    WeCom's clock runs from the code's making: one that was made before the sandbox froze is old when it arrives.
    """
    way = [suite.names(process) for process in ("acquisition", "engagement", "postgres", "nats")]
    away = [span for names in way for span in windows.away(names)]
    away += [(began, ended + CODE_SECONDS) for began, ended in windows.away(["sandbox"])]
    database = await asyncpg.connect(suite.home.postgres_url(suite.ports, "engagement"))
    try:
        codes = await database.fetch(
            """
            select contact_id, userid, added_at, status, extract(epoch from arrived_at)::float8 as at
            from engagement.welcomes
            where corp_id = $1 and status in ('SENT', 'LATE')
            """,
            corp_id,
        )
    finally:
        await database.close()
    late = [row for row in codes if row["status"] == "LATE"]
    for row in late:
        assert any(began < row["at"] + CODE_SECONDS and ended > row["at"] for began, ended in away), (row, windows)
    return len({(row["contact_id"], row["userid"], row["added_at"]) for row in codes}), len(late)


def check_welcomes(
    calls: list[dict[str, Any]], figures: dict[str, dict[str, Any]], late_codes: int, windows: Windows
) -> None:
    """Sent once each; a second attempt only where the first one was cut off or not answered."""
    by_code: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        by_code[call["body"]["welcome_code"]].append(call)
    assert len(by_code) <= figures["welcomes_sent"]["referee"] + late_codes
    assert sum(call["errcode"] == 0 for call in calls) >= figures["welcomes_sent"]["suite"]
    for attempts in by_code.values():
        assert sum(call["errcode"] == 0 for call in attempts) <= 1, attempts
        first, *others = attempts
        for other in others:
            whose = ("engagement", "postgres", "nats", "sandbox")
            assert windows.near(first["at"], whose, CODE_SECONDS), (first, other, windows)


def spread(cells: Sequence[Cell], parts: int, seed: int) -> list[list[Cell]]:
    """The cells dealt out at random, the long ones of each part first, so that the short ones fall into them."""
    dealt = list(cells)
    random.Random(seed).shuffle(dealt)
    order = {FREEZE: 0, CUT: 1, FLOOD: 1, KILL: 2}
    dealt.sort(key=lambda cell: order[cell.phase] if cell.process not in SERVERS else 3)
    return [dealt[part::parts] for part in range(parts)]
