"""What people wait for at a page: its first coming, a long list drawn anew, and an order's way into an open list."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.bench.journeys import paid_order, set_up_once
from tests.browser.browser import launch
from tests.e2e.test_door import sign_for_mall

OPENED = 9
DRAWN = 30
ROWS = 200
ORDERS = 100
PAUSE = 0.3
EMPLOYEE = "guide_001"
# When a page can be used: its heading stands there, and nothing is being loaded.
READY = """
const look = () => {
  const one = selector => document.querySelector(`main ${selector}`)
  if (one(':is(h1, .empty)') && !one(':is([aria-busy=true], .loading)')) window.readyAt ??= performance.now()
  else requestAnimationFrame(look)
}
requestAnimationFrame(look)
"""
# Playwright's own waiting evaluates text inside the page, which the policy forbids.
UNTIL = """
() => new Promise((done, fail) => {
  const look = () => $ ? done($) : performance.now() > 90_000 ? fail(new Error('it never came')) : setTimeout(look, 20)
  look()
})
"""
FILES = """
() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .map(one => one.name).filter(name => name.includes('/console/'))
"""
# From the answer's coming to the frame that shows it.
ANSWERED = """
const real = window.fetch
window.fetch = async (...asked) => {
  const answer = await real(...asked)
  window.answeredAt = performance.now()
  return answer
}
"""
DRAW = """
name => new Promise(resolve => {
  new MutationObserver((_, seen) => {
    seen.disconnect()
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - window.answeredAt)))
  }).observe(document.querySelector('tbody'), {childList: true, subtree: true, characterData: true})
  new BroadcastChannel(name).postMessage({kind: 'event', name: 'reset', data: '{}', id: ''})
})
"""
SEEN = """
window.seenAt = {}
new MutationObserver(() => {
  for (const row of document.querySelectorAll('tbody tr')) {
    for (const name of row.textContent.match(/EP\\d{8}/g) ?? []) window.seenAt[name] ??= Date.now()
  }
}).observe(document, {childList: true, subtree: true, characterData: true})
"""


def pages(suite: Suite) -> list[dict[str, Any]]:
    """First coming, 200 rows drawn anew, and an order's line."""
    return asyncio.run(_pages(suite))


async def _pages(suite: Suite) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        async with launch(Path(folder)) as browser, Client(suite, suite.home.keys["corp_id"]) as client:
            states = await set_up_once(client)
            return [
                *await _first(suite, browser, client),
                await _drawn(suite, browser, client),
                await _live(suite, browser, client, states[1]),
            ]


@asynccontextmanager
async def _opened(suite: Suite, browser: Browser, token: str, path: str, script: str) -> AsyncIterator[Page]:
    """Nothing is kept from a page before."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    try:
        await context.add_cookies([{"name": "bihuan_session", "value": token, "url": suite.gateway}])
        page = await context.new_page()
        await page.add_init_script(script)
        await page.goto(f"{suite.gateway}/console{path}")
        yield page
    finally:
        await context.close()


async def _first(suite: Suite, browser: Browser, client: Client) -> list[dict[str, Any]]:
    took: dict[str, list[float]] = {"/overview": [], "/alerts": [], "/forbidden": []}
    size: dict[str, int] = {}
    for path in list(took) * OPENED:
        async with _opened(suite, browser, client.token, path, READY) as page:
            took[path].append(await page.evaluate(UNTIL.replace("$", "window.readyAt")))
            await page.wait_for_load_state("load")
            if path not in size:
                size[path] = await _gzipped(client.session, await page.evaluate(FILES))
    empty = statistics.median(took["/forbidden"])
    return [
        {
            "row": f"first page, cold cache: {path}",
            "unit": "ms to interactive",
            "ours": round(statistics.median(took[path])),
            "ceiling": round(empty),
            "ratio": f"{statistics.median(took[path]) / empty:.2f} ×",
            "all": {"KiB gz": round(size[path] / 1024), "KiB gz of the empty page": round(size["/forbidden"] / 1024)},
        }
        for path in ("/overview", "/alerts")
    ]


async def _gzipped(session: aiohttp.ClientSession, urls: Sequence[str]) -> int:
    """Bytes of everything that came for a page, as gzip packs it; a browser that can takes brotli, which is less."""
    found = 0
    for url in urls:
        async with session.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
            found += int(answer.headers["Content-Length"])
    return found


async def _drawn(suite: Suite, browser: Browser, client: Client) -> dict[str, Any]:
    """The same list with other values in each row."""
    listed = (await client.get("/api/v1/staff", pageSize=str(ROWS)))["staff"]
    number = 0

    async with _opened(suite, browser, client.token, "/overview", ANSWERED) as page:

        async def answer(route: Any) -> None:
            nonlocal number
            number += 1
            rows = [{**one, "name": f"{one['name']} {number}", "active": number % 2 == 0} for one in listed]
            await route.fulfill(json={"staff": rows, "nextPageToken": ""})

        await page.route("**/api/v1/staff?*", answer)
        await page.goto(f"{suite.gateway}/console/staff")
        await page.evaluate(UNTIL.replace("$", f"document.querySelectorAll('tbody tr').length === {len(listed)}"))
        channel = f"bihuan {client.corp_id} admin ROLE_ADMIN"
        took = [await page.evaluate(DRAW, channel) for _ in range(DRAWN)]
    return {
        "row": f"a list of {len(listed)} rows drawn anew",
        "unit": "ms p50 / max",
        "ours": f"{statistics.median(took):.0f} / {max(took):.0f}",
    }


async def _live(suite: Suite, browser: Browser, client: Client, state: str) -> dict[str, Any]:
    """From the mall's push to the employee's stream, and to the line in their open list: the same orders."""
    body = {"corp_id": client.corp_id, "state": state, "userid": EMPLOYEE, "person": "page buyer"}
    friend = await client.sandbox("/sandbox/scan", body)
    await client.drained(60)
    async with Client(suite, client.corp_id) as employee:
        await employee.sign_in(EMPLOYEE)
        heard: dict[str, float] = {}
        opened = asyncio.Event()
        follower = asyncio.create_task(_follow(suite, employee, heard, opened))
        try:
            await asyncio.wait_for(opened.wait(), 10)
            async with _opened(suite, browser, employee.token, "/alerts", SEEN) as page:
                await page.locator("[data-state=live]").wait_for()
                began = await _order(suite, client, friend["yz_open_ids"][0])
                all_of_them = f"Object.keys(window.seenAt).length === {ORDERS} && window.seenAt"
                shown: dict[str, float] = await page.evaluate(UNTIL.replace("$", all_of_them))
        finally:
            follower.cancel()
    ours = [shown[name] - at for name, at in began.items()]
    stream = [heard[name] - at for name, at in began.items()]
    return {
        "row": "paid webhook → line in an open list",
        "unit": "ms p50 / p99",
        "ours": f"{statistics.median(ours):.0f} / {_p99(ours):.0f}",
        "ceiling": f"{statistics.median(stream):.0f} / {_p99(stream):.0f}",
        "ratio": f"{statistics.median(ours) / statistics.median(stream):.2f} ×",
        "all": {"ceiling": "the stream's own", "p99 behind it, ms": round(_p99(ours) - _p99(stream))},
    }


async def _follow(suite: Suite, employee: Client, heard: dict[str, float], opened: asyncio.Event) -> None:
    bearer = {"Authorization": f"Bearer {employee.token}"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with employee.session.get(f"{suite.gateway}/api/v1/stream", headers=bearer, timeout=timeout) as answer:
        async for line in answer.content:
            opened.set()
            if line.startswith(b'data: {"alertId"'):
                order = json.loads(line[6:]).get("orderPaid", {}).get("orderId", "")
                heard.setdefault(order, time.time() * 1000)


async def _order(suite: Suite, client: Client, buyer: str) -> dict[str, float]:
    """When each order was pushed, in milliseconds of the clock that the browser has, too."""
    began = {}
    for number in range(ORDERS):
        name = f"EP{number:08d}"
        raw = paid_order(name, buyer)
        address, headers = sign_for_mall(suite, raw)
        began[name] = time.time() * 1000
        async with client.session.post(
            address, data=raw, headers={**headers, "Content-Type": "application/json"}
        ) as answer:
            answer.raise_for_status()
        await asyncio.sleep(PAUSE)
    return began


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
