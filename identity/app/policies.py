"""Identifier policies: a corp's own per kind. One that would make other people of the present ones is tried first."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from chassis import scheduled
from chassis.errors import Invalid, Precondition
from chassis.kernel.corps import Corps
from chassis.kernel.identifiers import Identifiers, normalise
from chassis.outbox import Outbox, Tx
from chassis.pool import Connection, Row
from identity.app.customers import judge
from identity.app.neighbourhoods import Neighbourhood, read_neighbourhood
from identity.db import edges
from identity.db import policies as db
from identity.domain.customers import CROWD, Partition
from identity.domain.policies import Policies, Policy

APPLIED = "policy_applied"
NIL = "00000000-0000-0000-0000-000000000000"
KIND = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
MOST_DENIED = 200
LOOKED_AT_ONCE = 2000
JUDGED_AT_ONCE = 50
# A dry run stops after this, to be answered within its call, and says that there was more.
DRY_RUN_SECONDS = 4.0
# A second look, for transactions that had begun under the policy before.
AGAIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a policy would make of the present customers: see PolicyEffect in the contract."""

    split: int = 0
    merged: int = 0
    quarantined: int = 0
    freed: int = 0
    partial: bool = False

    @property
    def is_none(self) -> bool:
        return self == Effect()


class IdentifierPolicies:
    def __init__(self, outbox: Outbox, identifiers: Identifiers, corps: Corps) -> None:
        self._outbox, self._identifiers, self._corps = outbox, identifiers, corps

    async def list(self, corp_id: str) -> tuple[Policies, Sequence[Row]]:
        """The policies in force, and the rows of those that are the corp's own."""
        async with self._outbox.pool.acquire() as connection:
            rows = await db.rows_of(connection, corp_id)
        return db.policies_of(rows), rows

    async def set(
        self, corp_id: str, wanted: Policy, denied_values: Sequence[str] | None, by: str, *, dry_run: bool, confirm: str
    ) -> tuple[Effect, str]:
        """Returns what it does, or would do, and the confirmation of that; empty when none is needed.

        `denied_values` None: those that are denied stay so.

        Raises Invalid, and Precondition POLICY_WOULD_SPLIT while an effect is not confirmed.
        """
        denied = None if denied_values is None else self._denied(corp_id, wanted.kind, denied_values)
        _check(wanted)
        async with self._outbox.transaction() as tx:
            await db.lock(tx.connection, corp_id)
            rows = await db.rows_of(tx.connection, corp_id)
            kept = db.policies_of(rows).of(wanted.kind).denied
            policy = replace(wanted, denied=kept if denied is None else denied)
            effect = await _effect_of(tx.connection, corp_id, policy, db.policies_of(rows))
            confirmation = "" if effect.is_none else _confirmation(corp_id, policy, effect, rows)
            if dry_run:
                return effect, confirmation
            if confirmation != confirm and confirmation:
                raise Precondition(
                    "POLICY_WOULD_SPLIT",
                    f"of the present customers {effect.split} would split and {effect.merged} merge; of their values"
                    f" {effect.quarantined} would name nobody and {effect.freed} somebody again",
                    field="confirm",
                    expected=confirmation,
                )
            await db.save(tx.connection, corp_id, policy, by)
            now = datetime.now(UTC)
            await scheduled.schedule_again(tx.connection, APPLIED, [scheduled.Job(corp_id, policy.kind, now)])
        return effect, confirmation

    def _denied(self, corp_id: str, kind: str, values: Sequence[str]) -> frozenset[str]:
        """Ids of the values in every scope of the kind. Raises Invalid for a value that names nobody anyway."""
        if len(values) > MOST_DENIED:
            raise Invalid("DENIED_TOO_MANY", field="deniedValues", expected=f"at most {MOST_DENIED}")
        denied = set()
        for position, value in enumerate(values):
            spelled = normalise(kind, value)
            if spelled is None:
                raise Invalid(
                    "DENIED_VALUE_WRONG", field=f"deniedValues[{position}]", expected=f"a value that a {kind} can have"
                )
            for scope in self._corps.get(corp_id).scopes(kind):
                denied.add(self._identifiers.id_of(corp_id, kind, spelled, scope))
        return frozenset(denied)


class Applying:
    """Decides anew who is one person wherever a policy that was set may matter (chassis.effects.OneByOne)."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def perform(self, claim: scheduled.Claim) -> None:
        async with self._outbox.pool.acquire() as connection:
            policy = (await db.of_corp(connection, claim.corp_id)).of(claim.key)
        async with scheduled.held(self._outbox.pool, APPLIED, claim):
            after: str | None = NIL
            while after is not None:
                async with self._outbox.pool.acquire() as connection:
                    ids, after = await db.affected(connection, claim.corp_id, policy, after, LOOKED_AT_ONCE)
                for start in range(0, len(ids), JUDGED_AT_ONCE):
                    async with self._outbox.transaction() as tx:
                        await judge(tx, claim.corp_id, ids[start : start + JUDGED_AT_ONCE])
        async with self._outbox.transaction() as tx:
            await self._end(tx, claim)

    async def _end(self, tx: Tx, claim: scheduled.Claim) -> None:
        if claim.attempts == 1:
            await scheduled.postpone(tx.connection, APPLIED, [(claim, datetime.now(UTC) + AGAIN)])
        else:
            await scheduled.finish(tx.connection, APPLIED, [(claim, "applied")])


def _check(policy: Policy) -> None:
    """Raises Invalid that names the field."""
    if not KIND.match(policy.kind):
        raise Invalid("KIND_WRONG", field="kind", expected="a lower case word of at most 40 characters")
    for field, value, most in (
        ("priority", policy.priority, 9),
        ("mostPerCustomer", policy.most_per_customer, 100),
        ("mostCustomers", policy.most_customers, CROWD),
    ):
        if not 1 <= value <= most:
            raise Invalid("POLICY_WRONG", field=field, expected=f"1 to {most}")


async def _effect_of(connection: Connection, corp_id: str, policy: Policy, now: Policies) -> Effect:
    """Tries the policy on everybody it may matter to, changing nothing."""
    then = Policies({**now.own, policy.kind: policy})
    effect, seen = Effect(), set[str]()
    until, after = time.monotonic() + DRY_RUN_SECONDS, NIL
    while True:
        ids, last = await db.affected(connection, corp_id, policy, after, LOOKED_AT_ONCE)
        fresh = [one for one in ids if one not in seen]
        for start in range(0, len(fresh), JUDGED_AT_ONCE):
            found = await edges.connected(connection, corp_id, fresh[start : start + JUDGED_AT_ONCE])
            rows = {one: row for one, row in found.items() if one not in seen}
            seen.update(rows)
            effect = _add(effect, await read_neighbourhood(connection, corp_id, rows), now, then)
        if last is None:
            return effect
        if time.monotonic() > until:
            return replace(effect, partial=True)
        after = last


def _add(effect: Effect, there: Neighbourhood, now: Policies, then: Policies) -> Effect:
    before, after = there.people(now), there.people(then)
    old, new = _group_of(before), _group_of(after)
    return replace(
        effect,
        split=effect.split + sum(len({new[one] for one in group if one in new}) > 1 for group in before.people),
        merged=effect.merged
        + sum(max(0, len({old[one] for one in group if one in old}) - 1) for group in after.people),
        quarantined=effect.quarantined + len(after.quarantined - before.quarantined),
        freed=effect.freed + len(before.quarantined - after.quarantined),
    )


def _group_of(partition: Partition) -> dict[str, frozenset[str]]:
    return {one: group for group in partition.people for one in group}


def _confirmation(corp_id: str, policy: Policy, effect: Effect, rows: Sequence[Row]) -> str:
    """A function of what is asked for, of what is in force, and of the figures: it confirms exactly one dry run."""
    wanted = {**asdict(policy), "denied": sorted(policy.denied)}
    in_force = sorted((row["kind"], row["revision"]) for row in rows)
    said = json.dumps([corp_id, wanted, in_force, asdict(effect)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
