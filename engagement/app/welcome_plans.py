"""Welcomes: scheduled when a customer is acquired, one per add, whichever of its codes comes first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chassis import scheduled
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.renames import known_as, onward
from chassis.outbox import Tx
from chassis.pool import Row
from chassis.sealing import Sealer
from engagement.app.welcomes import KIND, rule_of
from engagement.db import names
from engagement.db import rules as rules_db
from engagement.db import welcomes as db
from engagement.domain import templates
from engagement.domain.welcomes import CODE_LIVES, Sibling, siblings_of, waits_until


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
        rule = rule_of(rules, corp_id, one.channel_id)
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
