"""Welcomes: scheduled when a customer is acquired, sent inside WeCom's 20 seconds, once per welcome code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from chassis import due
from chassis.identifiers import Identifiers
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.domain import templates
from engagement.store import names
from engagement.store import welcomes as store

KIND = "welcome"
# How long a welcome code lives, from its event's arrival.
CODE_SECONDS = timedelta(seconds=20)
RETRY = timedelta(milliseconds=500)
ALREADY_WELCOMED, CODE_EXPIRED = 41051, 41050


class Welcomer(Protocol):
    async def send(
        self, corp_id: str, welcome_code: str, text: str, link: Mapping[str, str] | None, seconds: float
    ) -> None:
        """Raises WeComError or WeComAway."""
        ...


@dataclass(frozen=True, slots=True)
class Acquired:
    corp_id: str
    contact_id: str
    userid: str
    channel_id: str
    sealed_welcome_code: bytes
    arrived_at: datetime


async def plan(
    tx: Tx, acquired: Iterable[Acquired], sealer: Sealer, identifiers: Identifiers, patience: timedelta
) -> None:
    """One welcome per code. It waits up to `patience` for the customer's name, if its rule wants that."""
    wanted = [one for one in acquired if one.sealed_welcome_code]
    if not wanted:
        return
    known = await names.lock_contacts(tx.connection, sorted({(one.corp_id, one.contact_id) for one in wanted}))
    rules = await store.rules_of(tx.connection, [one.corp_id for one in wanted])
    now = datetime.now(UTC)
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    rows_due: dict[tuple[str, str], due.Due] = {}
    for one in wanted:
        code = sealer.open(one.corp_id, one.sealed_welcome_code)
        welcome_id = identifiers.id_of(one.corp_id, "welcome_code", code)
        deadline = one.arrived_at + CODE_SECONDS
        rule = rules.get((one.corp_id, one.channel_id)) or rules.get((one.corp_id, None))
        status = "WITHOUT_RULE" if rule is None else "LATE" if deadline <= now else "OPEN"
        key = (one.corp_id, welcome_id)
        if key in rows:
            continue
        rows[key] = (
            *key, one.contact_id, one.userid, one.channel_id, one.sealed_welcome_code, one.arrived_at, deadline, status
        )
        if rule is not None and status == "OPEN":
            waits = templates.wants_customer(rule["text"]) and (one.corp_id, one.contact_id) not in known
            due_at = one.arrived_at + patience if waits else now
            rows_due[key] = due.Due(one.corp_id, welcome_id, due_at, deadline)
    new = await store.insert(tx.connection, rows.values())
    await due.schedule_once(tx.connection, KIND, [row for key, row in rows_due.items() if key in new])


class Welcomes:
    def __init__(self, outbox: Outbox, welcomer: Welcomer, sealer: Sealer) -> None:
        self._outbox, self._welcomer, self._sealer = outbox, welcomer, sealer

    async def perform(self, claim: due.Claim) -> None:
        """Sends one. After a crash it is repeated inside its 20 s; "already welcomed" is then our own welcome."""
        corp_id = claim.corp_id
        async with self._outbox.pool.acquire() as connection:
            row = await store.get(connection, corp_id, claim.key)
            if row is None or row["status"] != "OPEN":
                await due.finish(connection, KIND, [claim], "settled")
                return
            rules = await store.rules_of(connection, [corp_id])
            sealed_customer = await names.sealed_contact(connection, corp_id, [row["contact_id"]])
            sealed_staff = await names.sealed_staff(connection, corp_id, row["userid"])
        rule = rules.get((corp_id, row["channel_id"])) or rules.get((corp_id, None))
        left = (row["deadline"] - datetime.now(UTC)).total_seconds()
        if rule is None or left <= 0:
            await self._settle(claim, "WITHOUT_RULE" if rule is None else "LATE", None)
            return
        sealed_name = sealed_customer.get(row["contact_id"])
        text = templates.fill_in(
            rule["text"],
            self._sealer.open(corp_id, sealed_name) if sealed_name else None,
            self._sealer.open(corp_id, sealed_staff) if sealed_staff else None,
        )
        code = self._sealer.open(corp_id, row["sealed_code"])
        link = json.loads(rule["link"]) if rule["link"] else None
        try:
            await self._welcomer.send(corp_id, code, text, link, min(due.CALL_SECONDS, left))
        except WeComAway:
            await self._again(claim)
        except WeComError as error:
            if error.passing:
                await self._again(claim)
            elif error.errcode == ALREADY_WELCOMED and claim.attempts > 1:
                await self._settle(claim, "SENT", error.errcode)
            else:
                log.warning("welcome_refused", corp_id=corp_id, errcode=error.errcode)
                await self._settle(claim, "LATE" if error.errcode == CODE_EXPIRED else "REFUSED", error.errcode)
        else:
            await self._settle(claim, "SENT", 0)

    async def _settle(self, claim: due.Claim, status: str, errcode: int | None) -> None:
        sent_at = datetime.now(UTC) if status == "SENT" else None
        async with self._outbox.transaction() as tx:
            await store.settle(tx.connection, claim.corp_id, claim.key, status, errcode, sent_at)
            await due.finish(tx.connection, KIND, [claim], status)

    async def _again(self, claim: due.Claim) -> None:
        async with self._outbox.transaction() as tx:
            await due.postpone(tx.connection, KIND, claim, datetime.now(UTC) + RETRY)
