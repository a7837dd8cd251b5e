"""Welcomes: scheduled when a customer is acquired, sent inside WeCom's 20 seconds, once per add."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from liquid.exceptions import LiquidError

from chassis import scheduled
from chassis.errors import Invalid, NotFound
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.renames import known_as, onward
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.pool import Row
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.db import names
from engagement.db import rules as rules_db
from engagement.db import welcomes as db
from engagement.domain import templates
from engagement.domain.welcomes import (
    ALREADY_WELCOMED,
    CODE_EXPIRED,
    CODE_LIVES,
    Sibling,
    is_certain,
    siblings_of,
    waits_until,
)

KIND = "welcome"
RETRY = timedelta(milliseconds=500)
ENDED_AT_ONCE = 500


class Welcomer(Protocol):
    async def send(
        self,
        corp_id: str,
        welcome_code: str,
        text: str,
        link: Mapping[str, str] | None,
        seconds: float,
        agent_id: int = 0,
    ) -> None:
        """By the app that was given the code; 0: the main one. Raises WeComError or WeComAway, and NotFound when the
        app is not configured."""
        ...


@dataclass(frozen=True, slots=True)
class Acquired:
    corp_id: str
    contact_id: str
    userid: str
    channel_id: str
    sealed_welcome_code: bytes
    agent_id: int
    added_at: datetime
    arrived_at: datetime


async def plan(
    tx: Tx, acquired: Iterable[Acquired], sealer: Sealer, identifiers: Identifiers, patience: timedelta
) -> None:
    """One row per code and one welcome per add: the first of an add's codes that came is used, the others are kept
    for when it is refused. A welcome waits up to `patience` for the customer's name, if its rule wants that."""
    wanted: dict[db.Key, Acquired] = {}
    for one in await _renamed(tx, [one for one in acquired if one.sealed_welcome_code]):
        code = sealer.open(one.corp_id, one.sealed_welcome_code)
        wanted.setdefault((one.corp_id, identifiers.id_of(one.corp_id, "welcome_code", code)), one)
    if not wanted:
        return
    contacts = sorted({(one.corp_id, one.contact_id) for one in wanted.values()})
    named = await names.lock_contacts(tx.connection, contacts)
    rules = await rules_db.of_corps(tx.connection, [one.corp_id for one in wanted.values()])
    codes: dict[tuple[str, str, str], list[Sibling]] = defaultdict(list)
    for row in await db.of_contacts(tx.connection, contacts):
        wanted.pop((row["corp_id"], row["welcome_id"]), None)
        sibling = Sibling(row["added_at"], row["status"], row["errcode"])
        codes[row["corp_id"], row["contact_id"], row["userid"]].append(sibling)
    now = datetime.now(UTC)
    rows, jobs = [], []
    for (corp_id, welcome_id), one in sorted(wanted.items(), key=lambda item: (item[1].arrived_at, item[0])):
        rule = _rule_of(rules, corp_id, one.channel_id)
        known = codes[corp_id, one.contact_id, one.userid]
        deadline = one.arrived_at + CODE_LIVES
        status = _first_status(rule, deadline <= now, siblings_of(one.added_at, known))
        known.append(Sibling(one.added_at, status, None))
        rows.append(
            {
                "corp_id": corp_id,
                "welcome_id": welcome_id,
                "contact_id": one.contact_id,
                "userid": one.userid,
                "channel_id": one.channel_id,
                "sealed_code": one.sealed_welcome_code,
                "agent_id": one.agent_id,
                "added_at": one.added_at,
                "arrived_at": one.arrived_at,
                "deadline": deadline,
                "status": status,
            }
        )
        if status == "OPEN":
            assert rule is not None, "only what has a rule is open"
            waits = templates.wants_customer(rule["text"]) and (corp_id, one.contact_id) not in named
            due_at = waits_until(one.added_at, one.arrived_at, patience) if waits else now
            jobs.append(scheduled.Job(corp_id, welcome_id, due_at, deadline))
    if rows:
        new = await db.insert(tx.connection, rows)
        await scheduled.schedule_once(tx.connection, KIND, [job for job in jobs if (job.corp_id, job.key) in new])


async def _renamed(tx: Tx, acquired: Sequence[Acquired]) -> list[Acquired]:
    """Each with the present userid of its member."""
    if not acquired:
        return []
    renames = await onward(tx.connection, [(one.corp_id, one.userid) for one in acquired])
    return [replace(one, userid=known_as(one.userid, one.added_at, renames.get(one.corp_id, ()))) for one in acquired]


def _first_status(rule: Row | None, is_late: bool, siblings: Sequence[Sibling]) -> str:
    if any(sibling.was_welcomed for sibling in siblings) or (siblings and rule is None):
        return "ANOTHER_CODE"
    if rule is None:
        return "WITHOUT_RULE"
    return "LATE" if is_late else "OPEN"


def _rule_of(rules: Mapping[tuple[str, str | None], Row], corp_id: str, channel_id: str) -> Row | None:
    return rules.get((corp_id, channel_id)) or rules.get((corp_id, None))


@dataclass(frozen=True, slots=True)
class Sending:
    """A welcome to send, and what became of it: a status of the table, or another try (`again`)."""

    claim: scheduled.Claim
    row: Row | None = None
    code: str = ""
    text: str = ""
    link: Mapping[str, str] | None = None
    status: str = ""
    errcode: int | None = None
    ended_at: datetime | None = None
    again: bool = False
    # Surely nothing was sent: WeCom's answer says so, or the call was never made.
    without_effect: bool = False

    @property
    def may_have_been_sent(self) -> bool:
        """True when an earlier call may have had its effect: it was cut off, or its answer does not say."""
        assert self.row is not None, "asked of what is called only"
        # The release before counts every attempt, and those without effect in the welcome's row.
        return self.claim.attempts - 1 > int(self.row["calls_without_effect"])


async def end_given_up(outbox: Outbox) -> int:
    """Ends welcomes whose jobs have ended without an outcome, as dead letters do; returns how many."""
    async with outbox.transaction() as tx:
        return await db.fail_given_up(tx.connection, KIND, ENDED_AT_ONCE)


class Welcomes:
    """Sends welcomes (chassis.effects.EffectHandler)."""

    def __init__(self, outbox: Outbox, welcomer: Welcomer, sealer: Sealer) -> None:
        self._outbox, self._welcomer, self._sealer = outbox, welcomer, sealer

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> list[Sending]:
        async with self._outbox.pool.acquire() as connection:
            rows = await db.open_of(connection, [(claim.corp_id, claim.key) for claim in claims])
            # Their dead letters were replayed.
            await db.reopen(connection, [key for key, row in rows.items() if row["status"] == "FAILED"])
            rules = await rules_db.of_corps(connection, [claim.corp_id for claim in claims])
        found, ended = [], []
        for claim in claims:
            row = rows.get((claim.corp_id, claim.key))
            rule = _rule_of(rules, claim.corp_id, row["channel_id"]) if row else None
            if row is None or rule is None:
                # Ended before a crash, or the rule was deleted meanwhile.
                ended.append(Sending(claim, status="WITHOUT_RULE" if row else "ENDED"))
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
                ended.append(Sending(claim, status="REFUSED"))
                continue
            found.append(Sending(claim, row, code, text, link))
        if ended:
            await self.settle(ended)
        return found

    async def call(self, item: Sending) -> Sending:
        """After a crash it is repeated inside its 20 s; "already welcomed" is then our own welcome, if an earlier
        call of ours may have sent it."""
        assert item.row is not None, "what has no row is ended without a call"
        left = (item.row["deadline"] - datetime.now(UTC)).total_seconds()
        if left <= 0:
            return replace(item, status="LATE")
        corp_id, seconds = item.claim.corp_id, min(scheduled.CALL_SECONDS, left)
        try:
            await self._welcomer.send(corp_id, item.code, item.text, item.link, seconds, item.row["agent_id"])
        except WeComAway as away:
            return replace(item, again=True, without_effect=not away.sent)
        except WeComError as error:
            if error.passing:
                without_effect = error.api == "gettoken" or is_certain(error.errcode)
                return replace(item, again=True, without_effect=without_effect)
            if error.errcode == ALREADY_WELCOMED and item.may_have_been_sent:
                return replace(item, status="SENT", errcode=error.errcode, ended_at=datetime.now(UTC))
            log.warning("welcome_refused", corp_id=corp_id, errcode=error.errcode)
            status = "LATE" if error.errcode == CODE_EXPIRED else "REFUSED"
            return replace(item, status=status, errcode=error.errcode)
        except NotFound:
            log.warning("welcome_without_app", corp_id=corp_id, agent_id=item.row["agent_id"])
            return replace(item, status="REFUSED")
        return replace(item, status="SENT", errcode=0, ended_at=datetime.now(UTC))

    async def settle(self, outcomes: Sequence[Sending]) -> None:
        retry_at = datetime.now(UTC) + RETRY
        failed = [item for item in outcomes if _leaves_unwelcomed(item)]
        async with self._outbox.transaction() as tx:
            if failed:
                # So that another code of the same add sees the welcome either open or failed, never in between.
                locked = {(item.claim.corp_id, item.row["contact_id"]) for item in failed if item.row}
                await names.lock_contacts(tx.connection, sorted(locked))
            done = [item for item in outcomes if not item.again]
            ours = await scheduled.finish(tx.connection, KIND, [(item.claim, item.status) for item in done])
            await db.save_outcomes(
                tx.connection,
                [
                    db.Outcome(item.claim.corp_id, item.claim.key, item.status, item.errcode, sent_at=item.ended_at)
                    for item in done
                    if item.status != "ENDED" and (item.claim.corp_id, item.claim.key) in ours
                ],
            )
            for counted in (True, False):
                again = [(item.claim, retry_at) for item in outcomes if item.again and item.without_effect != counted]
                await scheduled.postpone(tx.connection, KIND, again, counted=counted)
            if failed:
                await self._try_another_code(tx, failed)

    async def _try_another_code(self, tx: Tx, failed: Iterable[Sending]) -> None:
        adds = {
            db.Add(
                item.claim.corp_id,
                item.row["contact_id"],
                item.row["userid"],
                item.row["added_at"] or item.row["arrived_at"],
            )
            for item in failed
            if item.row
        }
        now = datetime.now(UTC)
        opened = await db.open_another_code(tx.connection, adds, CODE_LIVES.total_seconds())
        jobs = [scheduled.Job(row["corp_id"], row["welcome_id"], now, row["deadline"]) for row in opened]
        await scheduled.schedule_once(tx.connection, KIND, jobs)

    def _opened(self, claim: scheduled.Claim, sealed: bytes | None) -> str | None:
        return self._sealer.open(claim.corp_id, sealed) if sealed else None


def _leaves_unwelcomed(item: Sending) -> bool:
    """True when the code failed, and surely nothing was sent with it: another one of the same add may be tried."""
    return (
        item.row is not None
        and item.status in ("LATE", "REFUSED")
        and item.errcode != ALREADY_WELCOMED
        and not item.may_have_been_sent
    )
