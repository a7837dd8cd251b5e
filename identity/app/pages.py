"""Signs our own pages for WeCom's JS-SDK."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from yarl import URL

from chassis.errors import Invalid, Precondition, Unavailable
from chassis.wecom.client import BUSY, WINDOW_FULL, WeComAway, WeComError
from chassis.wecom.tickets import TicketKind, Tickets, ticket_id

MOST_URL = 2048


@dataclass(frozen=True, slots=True)
class Signature:
    """`timestamp`: seconds since the epoch."""

    nonce: str
    timestamp: int
    signature: str
    ticket_id: str


@dataclass(frozen=True, slots=True)
class SignedPage:
    agent_id: int
    config: Signature
    agent_config: Signature


class PageSigning:
    def __init__(self, tickets: Tickets, public_url: str) -> None:
        """`public_url`: where our pages are; empty while nobody has said."""
        self._tickets = tickets
        # As browsers spell it: a small host, no port that goes without saying.
        self._site = str(URL(public_url)).rstrip("/") if public_url else ""

    async def sign(self, corp_id: str, url: str, refused: Iterable[str] = ()) -> SignedPage:
        """`refused`: ids of tickets whose signatures WeCom refused.

        Raises Invalid for a page that is not ours, Precondition when WeCom gives no ticket, Unavailable when it
        does not answer or has no time.
        """
        page, known = self._own(url), frozenset(refused)
        try:
            config, agent_config = await asyncio.gather(
                self._tickets.get(corp_id, TicketKind.CONFIG, known),
                self._tickets.get(corp_id, TicketKind.AGENT_CONFIG, known),
            )
        except WeComAway as error:
            raise Unavailable("WECOM_AWAY", "WeCom does not answer") from error
        except WeComError as error:
            if error.errcode in BUSY or error.errcode == WINDOW_FULL:
                raise Unavailable("WECOM_BUSY", f"WeCom has no time: {error.errcode}") from error
            raise Precondition("TICKET_REFUSED", f"WeCom gives this app no ticket: {error.errcode}") from error
        return SignedPage(self._tickets.app_of(corp_id), _sign(config, page), _sign(agent_config, page))

    def _own(self, url: str) -> str:
        if not self._site:
            raise Precondition("PUBLIC_URL_UNKNOWN", "GATEWAY_PUBLIC_URL does not say where our pages are")
        page = url.partition("#")[0]
        readable = len(page) <= MOST_URL and page.isascii() and page.isprintable() and " " not in page
        if not readable or not page.startswith(self._site + "/"):
            raise Invalid("PAGE_FOREIGN", field="url", expected=f"a page of {self._site}")
        return page


def _sign(ticket: str, page: str) -> Signature:
    nonce, timestamp = secrets.token_hex(8), int(time.time())
    told = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    # WeCom wants SHA-1.
    signature = hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()
    return Signature(nonce, timestamp, signature, ticket_id(ticket))
