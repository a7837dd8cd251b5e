"""What becomes of the customers of a neighbourhood, and how that is written and stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from uuid_utils import uuid7

from chassis.outbox import Tx
from chassis.pool import Row
from identity.app import facts
from identity.app.neighbourhoods import Neighbourhood
from identity.db import customers
from identity.db import decisions as db
from identity.db.decisions import Assigned
from identity.db.identifiers import NewIdentifier
from identity.domain.customers import Pair, name_people


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the customers of a neighbourhood."""

    # Customer → when they were first heard of, of those that are new or older than was known.
    created: Mapping[str, datetime]
    # Customer → the one they are part of now.
    merged: Mapping[str, str]
    # All they had was a value that turned out to name nobody.
    dissolved: Set[str]
    # Identifiers whose row changes.
    assigned: Mapping[str, Assigned]
    # Edges that are refused from now on, or for another reason; and those that are no more.
    refused: Mapping[Pair, str]
    admitted: Set[Pair]
    # What is to be stated: customer and all of their identifiers; no customer for those that are quarantined now.
    changed: Sequence[tuple[str, Iterable[str]]]


def decide(
    there: Neighbourhood, rows: Mapping[str, Row], sooner: Mapping[str, datetime], added: Mapping[str, NewIdentifier]
) -> Decision:
    """`rows`: identifiers under lock. `sooner`: those that were seen before what is known. `added`: those that are new,
    which nobody has been told of yet."""
    result = there.people()
    before: dict[str, str | None] = {one: None if one in added else rows[one]["customer_id"] for one in there.kinds}
    since = {one: sooner.get(one, row["first_seen"]) for one, row in rows.items()}
    names = name_people(result.people, before)
    kept = {name for name in names.values() if name is not None}
    sizes, created_before = Counter(before.values()), _created_before(before, rows)

    newly_quarantined = [one for one in sorted(result.quarantined) if not rows[one]["quarantined"]]
    owners: dict[str, str | None] = dict.fromkeys(newly_quarantined)
    created: dict[str, datetime] = {}
    merged: dict[str, str] = {}
    changed: list[tuple[str, Iterable[str]]] = []
    taken: set[str] = set()
    for group, kept_name in names.items():
        customer_id = kept_name or _new_name(group, added, taken)
        taken.add(customer_id)
        first_seen = min(since[one] for one in group)
        if created_before.get(customer_id) != first_seen:
            created[customer_id] = first_seen
        movers = [one for one in group if before[one] != customer_id]
        if movers or sizes[customer_id] > len(group):
            changed.append((customer_id, group))
        owners.update(dict.fromkeys(movers, customer_id))
        merged.update({old: customer_id for one in movers if (old := before[one]) and old not in kept})
    if newly_quarantined:
        changed.append(("", newly_quarantined))
    dissolved = {old for old in before.values() if old and old not in kept and old not in merged}
    refused = {(edge.a, edge.b): reason for edge, reason in result.refused.items()}
    return Decision(
        created,
        merged,
        dissolved,
        _assigned(rows, owners, since, sooner, added),
        {pair: reason for pair, reason in refused.items() if there.refused.get(pair) != reason},
        there.refused.keys() - refused.keys(),
        changed,
    )


def _created_before(before: Mapping[str, str | None], rows: Mapping[str, Row]) -> dict[str, datetime]:
    """Customer → when the first of its identifiers was first seen, as far as was known."""
    created: dict[str, datetime] = {}
    for one, owner in before.items():
        if owner:
            first_seen = rows[one]["first_seen"]
            created[owner] = min(created.get(owner, first_seen), first_seen)
    return created


def _new_name(group: Iterable[str], added: Mapping[str, NewIdentifier], taken: Set[str]) -> str:
    """The id that was made for one of them when it was inserted, so that its row stays as it is."""
    made = {added[one].customer_id for one in group if one in added and added[one].is_made} - taken
    return min(made, default=None) or str(uuid7())


def _assigned(
    rows: Mapping[str, Row],
    owners: Mapping[str, str | None],
    since: Mapping[str, datetime],
    sooner: Mapping[str, datetime],
    added: Mapping[str, NewIdentifier],
) -> dict[str, Assigned]:
    """All rows that are not yet as they shall be."""
    assigned = {
        one: Assigned(owner, owner is None, since[one])
        for one, owner in owners.items()
        if one not in added or added[one].customer_id != owner
    }
    for one in sooner:
        if one not in assigned:
            assigned[one] = Assigned(rows[one]["customer_id"], rows[one]["quarantined"], since[one])
    return assigned


async def carry_out(tx: Tx, corp_id: str, decision: Decision) -> None:
    if decision.merged:
        await customers.merge(tx.connection, corp_id, decision.merged)
    if decision.dissolved:
        await customers.dissolve(tx.connection, corp_id, decision.dissolved)
    if decision.refused or decision.admitted:
        await db.refuse(tx.connection, corp_id, decision.refused, decision.admitted)
    if not (decision.assigned or decision.created or decision.changed):
        return
    versions = await db.save(
        tx.connection, corp_id, decision.assigned, decision.created, versions=len(decision.changed)
    )
    for (customer_id, members), version in zip(decision.changed, versions, strict=True):
        tx.publish(facts.identifiers_assigned(corp_id, customer_id, members, version), corp_id=corp_id)
