"""The tickets that sign pages for WeCom's JS-SDK, kept as tokens are: fetched by one replica, shared, renewed early."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from enum import Enum

from nats.js import JetStreamContext

from chassis.sealing import Sealer
from chassis.shared_token import SharedToken
from chassis.wecom.client import WeCom, WeComs

BUCKET = "wecom-tickets"
# WeCom gives an app 100 an hour: five replicas that are asked all the time stay below that.
RENEWED_AFTER_SECONDS = 180.0


class TicketKind(Enum):
    """What the ticket signs for, and the call that gives it."""

    CONFIG = "get_jsapi_ticket"
    AGENT_CONFIG = "ticket/get"


PARAMETERS: dict[TicketKind, dict[str, str]] = {
    TicketKind.CONFIG: {},
    TicketKind.AGENT_CONFIG: {"type": "agent_config"},
}


class Tickets:
    """Of the main app of each corp."""

    def __init__(self, js: JetStreamContext, sealer: Sealer, wecoms: WeComs, replicas: int = 1) -> None:
        self._js, self._sealer, self._wecoms, self._replicas = js, sealer, wecoms, replicas
        self._kept: dict[tuple[str, TicketKind], SharedToken] = {}
        self._renewed_at: dict[tuple[str, TicketKind], float] = defaultdict(lambda: -RENEWED_AFTER_SECONDS)

    def app_of(self, corp_id: str) -> int:
        """The agent id of the app whose tickets these are. Raises NotFound."""
        return self._wecoms.of(corp_id).app.agent_id

    async def get(self, corp_id: str, kind: TicketKind, refused: frozenset[str] = frozenset()) -> str:
        """The ticket; another one, now and then, when it is among those `refused` (their `ticket_id`).

        Raises WeComError, WeComAway, and NotFound for a corp that is not configured.
        """
        shared = self._shared(corp_id, kind)
        ticket = await shared.get()
        if ticket_id(ticket) in refused:
            now = time.monotonic()
            if now - self._renewed_at[corp_id, kind] >= RENEWED_AFTER_SECONDS:
                self._renewed_at[corp_id, kind] = now
                shared.invalidate(ticket)
                ticket = await shared.get()
        return ticket

    def _shared(self, corp_id: str, kind: TicketKind) -> SharedToken:
        if (corp_id, kind) not in self._kept:
            client = self._wecoms.of(corp_id)
            self._kept[corp_id, kind] = SharedToken(
                self._js,
                self._sealer,
                corp_id,
                f"{client.app.agent_id}/{kind.name}",
                lambda: _fetch(client, kind),
                bucket=BUCKET,
                replicas=self._replicas,
            )
        return self._kept[corp_id, kind]


async def _fetch(client: WeCom, kind: TicketKind) -> tuple[str, float]:
    answer = await client.get(kind.value, 5.0, **PARAMETERS[kind])
    return str(answer["ticket"]), float(answer["expires_in"])


def ticket_id(ticket: str) -> str:
    """Tells one ticket from another, and not what it is."""
    return hashlib.sha256(ticket.encode()).hexdigest()[:16]
