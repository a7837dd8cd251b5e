"""JS-SDK tickets (D:96909): the corp's for config, an app's for agentConfig; and whether a page was signed with one."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from deploy.sandbox.errors import WeComRefusal
from deploy.sandbox.faults import Faults
from deploy.sandbox.world import App, Corp

TICKET_SECONDS = 7200
HOUR = 3600.0
CORP, AGENT = "jsapi", "agent_config"


@dataclass
class _Given:
    """The ticket in force, and when others were asked for."""

    ticket: str = ""
    until: float = 0.0
    asked_at: deque[float] = field(default_factory=deque)


class Tickets:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        # By corp and agent id; 0: the corp's.
        self._given: dict[tuple[str, int], _Given] = {}
        self._asked: dict[str, deque[float]] = {}

    async def jsapi(self, corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
        """get_jsapi_ticket."""
        return self._give(corp, app, 0)

    async def agent(self, corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
        """ticket/get?type=agent_config."""
        if body.get("type") != AGENT:
            raise WeComRefusal(40097, "invalid args")
        return self._give(corp, app, app.agent_id)

    def _give(self, corp: Corp, app: App, agent_id: int) -> dict[str, Any]:
        now, kept = time.time(), self._given.setdefault((corp.corp_id, agent_id), _Given())
        limits = (
            (
                self._given.setdefault((corp.corp_id, app.agent_id), _Given()).asked_at,
                self._faults.app_tickets_per_hour,
            ),
            (self._asked.setdefault(corp.corp_id, deque()), self._faults.corp_tickets_per_hour),
        )
        for asked, most in limits:
            while asked and asked[0] < now - HOUR:
                asked.popleft()
            if len(asked) >= most:
                raise WeComRefusal(45009, "api freq out of limit")
        for asked, _ in limits:
            asked.append(now)
        if kept.until < now:
            kept.ticket, kept.until = secrets.token_urlsafe(64), now + TICKET_SECONDS
        wrong = self._faults.happens(self._faults.wrong_ticket)
        ticket = secrets.token_urlsafe(64) if wrong else kept.ticket
        return {"ticket": ticket, "expires_in": int(kept.until - now)}

    def signed(self, corp_id: str, agent_id: int, nonce: str, timestamp: str, url: str, signature: str) -> bool:
        """Whether the page was signed with the ticket in force; `agent_id` 0: the corp's."""
        kept = self._given.get((corp_id, agent_id), _Given())
        if self._faults.happens(self._faults.ticket_expiry):
            kept.until = 0.0
        told = f"jsapi_ticket={kept.ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
        return kept.until > time.time() and secrets.compare_digest(
            hashlib.sha1(told.encode()).hexdigest().encode(), signature.encode()
        )
