"""What must hold after a replay, whatever was done to it. A failure says what was lost, doubled, given up or left."""

from __future__ import annotations

from collections import Counter

import asyncpg

from deploy.local.client import Client
from deploy.local.figures import ALERT_ID
from deploy.local.home import SERVICES
from deploy.local.story import Result
from deploy.local.suite import Suite

MOST_SHOWN = 20
LEFT = {
    "effects that are being attempted": "select kind, key, attempts from due_rows where status = 'attempting'",
    "effects that are due": "select kind, key, attempts from due_rows where status = 'due' and due_at < now()",
    "facts in the outbox": "select corp_id, subject from outbox",
    "batches in the outbox": "select corp_id, subjects from outbox_batches",
    "dead letters": "select corp_id, durable, fact_id, reason, detail from dead_letters where replayed_at is null",
}


async def check_told(client: Client, result: Result) -> None:
    """Nothing was given up, no figure differs from the referee's, and nothing reached a phone twice."""
    answer = await client.ask_sandbox("/sandbox/deliveries")
    given_up = [
        f"{one['what']} to {one['path']}, answers {one['statuses']}"
        for one in answer["deliveries"]
        if client.corp_id in one["path"]
    ]
    wrong = [
        f"{figure['name']} is {figure['suite']} and not {figure['referee']}"
        for figure in result.figures
        if not figure["equal"]
    ]
    received = Counter(one for content in await client.received_messages() for one in ALERT_ID.findall(content))
    doubled = [f"alert {alert_id} was received {count} times" for alert_id, count in received.items() if count > 1]
    complaints = {"given up": given_up, "unequal": wrong, "doubled": doubled}
    assert not any(complaints.values()), worded(f"corp {client.corp_id}", complaints)


async def check_nothing_left(suite: Suite) -> None:
    """No effect is being attempted or due, nothing waits in an outbox, nothing was dead-lettered."""
    for service in SERVICES:
        url = suite.home.postgres_url(suite.ports, service)
        database = await asyncpg.connect(url, server_settings={"search_path": service})
        try:
            left = {what: [str(dict(row)) for row in await database.fetch(query)] for what, query in LEFT.items()}
        finally:
            await database.close()
        assert not any(left.values()), worded(service, left)


def worded(where: str, complaints: dict[str, list[str]]) -> str:
    """A line each, of every sort the first ones."""
    lines = [f"{where}:"]
    for what, found in complaints.items():
        lines += [f"  {what}: {one}" for one in found[:MOST_SHOWN]]
        if len(found) > MOST_SHOWN:
            lines.append(f"  {what}: {len(found) - MOST_SHOWN} more")
    return "\n".join(lines)
