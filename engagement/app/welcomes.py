"""Welcomes: scheduled when a customer is acquired, sent inside WeCom's 20 seconds, once per welcome code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from liquid.exceptions import LiquidError

from chassis import scheduled
from chassis.errors import Invalid
from chassis.kernel.identifiers import Identifiers
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.db import names
from engagement.db import rules as rules_db
from engagement.db import welcomes as db
from engagement.domain import templates

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
    rules = await rules_db.of_corps(tx.connection, [one.corp_id for one in wanted])
    now = datetime.now(UTC)
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    rows_due: dict[tuple[str, str], scheduled.Job] = {}
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
            *key,
            one.contact_id,
            one.userid,
            one.channel_id,
            one.sealed_welcome_code,
            one.arrived_at,
            deadline,
            status,
        )
        if rule is not None and status == "OPEN":
            waits = templates.wants_customer(rule["text"]) and (one.corp_id, one.contact_id) not in known
            due_at = one.arrived_at + patience if waits else now
            rows_due[key] = scheduled.Job(one.corp_id, welcome_id, due_at, deadline)
    new = await db.insert(tx.connection, rows.values())
    await scheduled.schedule_once(tx.connection, KIND, [row for key, row in rows_due.items() if key in new])


@dataclass(frozen=True, slots=True)
class Sending:
    """A welcome to send, and what became of it: a status of the table, or another try (`again`)."""

    claim: scheduled.Claim
    code: str
    text: str
    link: Mapping[str, str] | None
    deadline: datetime
    status: str = ""
    errcode: int | None = None
    ended_at: datetime | None = None
    again: bool = False


class Welcomes:
    """Sends welcomes (chassis.effects.EffectHandler)."""

    def __init__(self, outbox: Outbox, welcomer: Welcomer, sealer: Sealer) -> None:
        self._outbox, self._welcomer, self._sealer = outbox, welcomer, sealer

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> list[Sending]:
        async with self._outbox.pool.acquire() as connection:
            rows = await db.open_of(connection, [(claim.corp_id, claim.key) for claim in claims])
            rules = await rules_db.of_corps(connection, [claim.corp_id for claim in claims])
        found, settled = [], []
        for claim in claims:
            row = rows.get((claim.corp_id, claim.key))
            rule = rules.get((claim.corp_id, row["channel_id"])) or rules.get((claim.corp_id, None)) if row else None
            if row is None or rule is None:
                # Settled before a crash, or the rule was deleted meanwhile.
                nothing = Sending(claim, "", "", None, datetime.now(UTC), status="WITHOUT_RULE" if row else "SETTLED")
                settled.append(nothing)
                continue
            try:
                text = templates.fill_in(
                    rule["text"], self._opened(claim, row["customer_name"]), self._opened(claim, row["staff_name"])
                )
                link = json.loads(rule["link"]) if rule["link"] else None
                code = self._sealer.open(claim.corp_id, row["sealed_code"])
            except (LiquidError, Invalid):
                # One that cannot be said must not keep the others waiting.
                log.exception("welcome_unsayable", corp_id=claim.corp_id)
                settled.append(Sending(claim, "", "", None, row["deadline"], status="REFUSED"))
                continue
            found.append(Sending(claim, code, text, link, row["deadline"]))
        if settled:
            await self.settle(settled)
        return found

    async def call(self, item: Sending) -> Sending:
        """After a crash it is repeated inside its 20 s; "already welcomed" is then our own welcome."""
        left = (item.deadline - datetime.now(UTC)).total_seconds()
        if left <= 0:
            return replace(item, status="LATE")
        try:
            await self._welcomer.send(
                item.claim.corp_id, item.code, item.text, item.link, min(scheduled.CALL_SECONDS, left)
            )
        except WeComAway:
            return replace(item, again=True)
        except WeComError as error:
            if error.passing:
                return replace(item, again=True)
            if error.errcode == ALREADY_WELCOMED and item.claim.attempts > 1:
                return replace(item, status="SENT", errcode=error.errcode, ended_at=datetime.now(UTC))
            log.warning("welcome_refused", corp_id=item.claim.corp_id, errcode=error.errcode)
            status = "LATE" if error.errcode == CODE_EXPIRED else "REFUSED"
            return replace(item, status=status, errcode=error.errcode)
        return replace(item, status="SENT", errcode=0, ended_at=datetime.now(UTC))

    async def settle(self, outcomes: Sequence[Sending]) -> None:
        retry_at = datetime.now(UTC) + RETRY
        async with self._outbox.transaction() as tx:
            done = [item for item in outcomes if not item.again]
            ours = await scheduled.finish(tx.connection, KIND, [(item.claim, item.status) for item in done])
            await db.settle(
                tx.connection,
                [
                    (item.claim.corp_id, item.claim.key, item.status, item.errcode, item.ended_at)
                    for item in done
                    if item.status != "SETTLED" and (item.claim.corp_id, item.claim.key) in ours
                ],
            )
            await scheduled.postpone(tx.connection, KIND, [(item.claim, retry_at) for item in outcomes if item.again])

    def _opened(self, claim: scheduled.Claim, sealed: bytes | None) -> str | None:
        return self._sealer.open(claim.corp_id, sealed) if sealed else None
