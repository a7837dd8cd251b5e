"""How far a replay has come."""

from __future__ import annotations

from deploy.local.client import Client, Refused


async def share_sent(client: Client) -> float:
    """Of the messages of the corp's replay; 0 before it begins."""
    try:
        state = await client.ask_sandbox("/sandbox/replay", corp_id=client.corp_id)
    except Refused:
        return 0.0
    return float(state["sent"] / state["total"])
