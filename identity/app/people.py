"""Identity's heart: observations of identifiers become people (reference: models, section 3, done set-based).

Placeholders are inserted in key order, everything that edges connect is locked in key order, and the partition is
computed anew from all edges of what is locked. Two transactions that could disagree always share a locked row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from uuid_utils import uuid7

from chassis.errors import Conflict
from chassis.outbox import Tx
from chassis.pool import Row
from identity.app import facts
from identity.db import people as db
from identity.domain.people import Edge, name_people, partition

# Each round locks more than the last; a neighbourhood that outgrows this many rounds is a storm: try later.
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Named:
    kind: str
    id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Observation:
    """Identifiers seen together: the first is linked to each of the others."""

    corp_id: str
    names: tuple[Named, ...]
    at: datetime


async def observe(tx: Tx, observations: Iterable[Observation], source: str) -> None:
    """Makes every identifier belong to a customer and states what changed. Safe to repeat, in any order."""
    by_corp: dict[str, list[Observation]] = {}
    for observation in observations:
        if observation.names:
            by_corp.setdefault(observation.corp_id, []).append(observation)
    for corp_id in sorted(by_corp):
        await _observe_corp(tx, corp_id, by_corp[corp_id], source)


async def _observe_corp(tx: Tx, corp_id: str, observations: Sequence[Observation], source: str) -> None:
    names = {name.id: (name.kind, name.sealed) for observation in observations for name in observation.names}
    edges: dict[tuple[str, str], Edge] = {}
    for observation in observations:
        head, *others = observation.names
        for other in others:
            edge = Edge.between(head.id, other.id, observation.at)
            if head.id != other.id and ((edge.a, edge.b) not in edges or edge.at < edges[edge.a, edge.b].at):
                edges[edge.a, edge.b] = edge

    # Most observations repeat what is known: they need no lock.
    known = await db.known_identifiers(tx.connection, corp_id, sorted(names))
    said = await db.known_edges(tx.connection, corp_id, edges.values()) if edges else {}
    new_edges = [edge for pair, edge in edges.items() if pair not in said or edge.at < said[pair]]
    touched = {end for edge in new_edges for end in (edge.a, edge.b)}
    new = {one: names[one] for one in names if one not in known}
    if new:
        await _add(tx, corp_id, new, alone=new.keys() - touched)
    if touched:
        await _link(tx, corp_id, sorted(touched), new_edges, source)


async def _add(tx: Tx, corp_id: str, names: dict[str, tuple[str, bytes]], alone: Set[str]) -> None:
    """New identifiers, in one sorted statement, since a row that is inserted is a lock that is taken. Those that
    nothing links are a person each; who meets one that another is adding leaves it to them."""
    customers = {one: str(uuid7()) for one in alone}
    added = await db.add_identifiers(tx.connection, corp_id, names, customers)
    persons = [one for one in added if one in alone]
    versions = await db.next_versions(tx.connection, len(persons))
    for one, version in zip(persons, versions, strict=True):
        tx.publish(facts.identifiers_assigned(corp_id, customers[one], [one], version), corp_id=corp_id)


async def _link(tx: Tx, corp_id: str, touched: Sequence[str], new_edges: Sequence[Edge], source: str) -> None:
    for _ in range(ROUNDS):
        wanted = await db.reachable(tx.connection, corp_id, touched)
        savepoint = tx.connection.transaction()
        await savepoint.start()
        locked = await db.lock_identifiers(tx.connection, corp_id, wanted)
        if set(await db.reachable(tx.connection, corp_id, touched)) <= set(locked):
            break
        await savepoint.rollback()  # lets the locks go, so that the larger set is locked in order
    else:
        raise Conflict("IDENTITY_STORM", "the neighbourhood kept growing")
    await db.add_edges(tx.connection, corp_id, new_edges, source)
    await _repartition(tx, corp_id, locked)
    await savepoint.commit()


async def _repartition(tx: Tx, corp_id: str, locked: dict[str, Row]) -> None:
    ids = sorted(locked)
    # A value once quarantined names nobody from then on, and its edges are not even looked at.
    kinds = {one: row["kind"] for one, row in locked.items() if not row["quarantined"]}
    links = await db.links_of(tx.connection, corp_id, sorted(kinds))
    all_edges = [Edge(at, a, b) for a, b, at in links if a < b and b in kinds]
    result = partition(kinds, all_edges, Counter(a for a, _, _ in links))
    before = {one: locked[one]["customer_id"] for one in kinds}
    names = name_people(result.people, before)

    owners: dict[str, str | None] = dict.fromkeys(result.quarantined)
    new_customers: list[str] = []
    changed: list[tuple[str, frozenset[str]]] = []
    merged: dict[str, str] = {}
    kept = {name for name in names.values() if name is not None}
    for group, kept_name in names.items():
        customer_id = kept_name or str(uuid7())
        if kept_name is None:
            new_customers.append(customer_id)
        movers = [one for one in group if before[one] != customer_id]
        if movers or any(before[one] == customer_id and one not in group for one in before):
            changed.append((customer_id, group))
        owners.update(dict.fromkeys(movers, customer_id))
        merged.update({old: customer_id for one in movers if (old := before[one]) and old not in kept})

    if new_customers:
        await db.add_customers(tx.connection, corp_id, new_customers)
    if merged:
        await db.merge_customers(tx.connection, corp_id, merged)
    # All they had was a value that turned out to name nobody.
    dissolved = {old for old in before.values() if old and old not in kept and old not in merged}
    if dissolved:
        await db.dissolve_customers(tx.connection, corp_id, dissolved)
    if owners:
        await db.assign(tx.connection, corp_id, owners)
    if all_edges:
        await db.replace_conflicts(tx.connection, corp_id, ids, result.refused)
    if result.quarantined:
        changed.append(("", result.quarantined))
    versions = await db.next_versions(tx.connection, len(changed))
    for (customer_id, group), version in zip(changed, versions, strict=True):
        tx.publish(facts.identifiers_assigned(corp_id, customer_id, group, version), corp_id=corp_id)
