"""`make run`: the suite, the purchase log through it, a summary, and then it is yours to try."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.client import Client
from deploy.local.story import Result, replay, set_up
from deploy.local.suite import PROCESSES, Suite

MONEY = ("gmv_", "average_order_value")


def run(suite: Suite, *, once: bool, keep: bool, buyers: int, seed: int) -> int:
    """0 when every figure equals the referee's. `keep` starts on the data of the run before, and replays nothing."""
    console = Console()
    progress = Progress(
        SpinnerColumn(), TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console,
    )  # fmt: skip
    code = 1
    try:
        with progress:
            everything = sum(len(suite.names(process)) for process in PROCESSES)
            starting = progress.add_task("starting", total=everything)

            def report(name: str) -> None:
                progress.update(starting, description=f"starting {name}", advance=1)

            suite.report = report
            began = time.monotonic()
            suite.up(empty=not keep)
            progress.update(starting, description="ready", completed=everything)
            ready = time.monotonic() - began
        code = asyncio.run(
            _story(suite, console, progress, once=once, replays=not keep, buyers=buyers, seed=seed, ready=ready)
        )
    except KeyboardInterrupt:
        pass
    except (RuntimeError, TimeoutError) as error:
        console.print(f"[red]{error}[/red]")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        console.print("[dim]stopping[/dim]")
        suite.down()
    return code


async def _story(
    suite: Suite,
    console: Console,
    progress: Progress,
    *,
    once: bool,
    replays: bool,
    buyers: int,
    seed: int,
    ready: float,
) -> int:
    corp_id = suite.home.keys["corp_id"]
    code = 0
    async with Client(suite, corp_id) as client:
        if replays:
            with progress:
                codes = await set_up(client)
                messages = progress.add_task("callbacks and webhooks")
                adds = progress.add_task("of them customers added")

                def watch(state: dict[str, Any]) -> None:
                    progress.update(messages, total=state["total"], completed=state["sent"])
                    progress.update(adds, total=state["adds"], completed=state["adds_sent"])

                left_out = [one for one in os.environ.get("REPLAY_WITHOUT", "").split(",") if one]
                result = await replay(client, codes, buyers=buyers, seed=seed, without=left_out, watch=watch)
            summary = result.summary() | {"ready_seconds": round(ready, 1)}
            (suite.home.path / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1))
            _show(console, result, ready)
            code = 0 if result.ok else 1
        if not once:
            await client.sign_in("admin")
            _invite(console, suite, client)
            await _until_interrupted()
    return code


def _show(console: Console, result: Result, ready: float) -> None:
    table = Table(title="The purchase log through the loop, beside the referee")
    for column, side in (("figure", "left"), ("suite", "right"), ("referee", "right"), ("", "center")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    staff = [figure for figure in result.figures if figure["name"].startswith("gmv_of_guide_")]
    for figure in result.figures:
        if figure in staff and figure["equal"]:
            continue
        mark = "[green]=[/green]" if figure["equal"] else "[red]≠[/red]"
        name = figure["name"]
        table.add_row(name.replace("_", " "), _text(name, figure["suite"]), _text(name, figure["referee"]), mark)
    equal = sum(1 for figure in staff if figure["equal"])
    table.add_row(
        "gmv per employee, equal",
        str(equal),
        str(len(staff)),
        "[green]=[/green]" if equal == len(staff) else "[red]≠[/red]",
    )
    table.add_section()
    for name, value in result.shown.items():
        table.add_row(name, str(value), "", "")
    console.print(table)
    state = result.replay
    console.print(
        f"{state['total']} messages, {state['duplicated']} of them copies, {state['reordered']} displaced by 50 or"
        f" more, {state['orders_before_add']} before the add they belong to, {state['given_up']} given up (seed"
        f" {state['seed']}); ready in {ready:.1f} s, replayed in {state['seconds']:.1f} s,"
        f" settled after {result.seconds:.1f} s"
    )
    if not result.disturbed:
        console.print("[red]fewer than a tenth of the messages were duplicated or displaced: it proves nothing[/red]")
    unequal = sum(1 for figure in result.figures if not figure["equal"])
    console.print(f"[red]{unequal} figures NOT equal[/red]" if unequal else "[green]every figure equal[/green]")


def _text(name: str, value: int | None) -> str:
    if value is None:
        return "–"
    return f"¥{value / 100:,.2f}" if name.startswith(MONEY) else f"{value:,}"


def _invite(console: Console, suite: Suite, client: Client) -> None:
    token = client.token
    console.print(f"\n[bold]Open this      {suite.gateway}/console/[/bold]")
    console.print(f"In WeCom       {suite.chat}/  (the sandbox's chat window, with the sidebar and the workbench)")
    console.print(f"REST and docs  {suite.gateway}/api/docs\nSandbox        {suite.sandbox}/sandbox/deliveries\n")
    console.print(
        "Three lines worth trying, the first one in a second terminal (it follows every employee's alerts):\n"
    )
    for line in (
        f"curl -N -H 'Authorization: Bearer {token}' '{suite.gateway}/api/v1/stream?scope=corp'",
        f'curl -X POST {suite.sandbox}/sandbox/order -d \'{{"yuan": "128.00"}}\'',
        f"curl -H 'Authorization: Bearer {token}' '{suite.gateway}/api/v1/customers?pageSize=3'",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print("\n[dim]Ctrl-C stops everything.[/dim]")


async def _until_interrupted() -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
