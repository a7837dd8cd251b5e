"""Identity's heart: observations of identifiers become people (reference: models, section 3, done set-based).

Placeholders are inserted in key order, everything that edges connect is locked in key order, and the partition is
computed anew from all edges of what is locked. Two transactions that could disagree always share a locked row: who is
one person, and which value is quarantined, depends on nothing outside of what edges connect, crowds left out; and what
is a crowd depends on its own row alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from bihuan.common.v1.identifier_pb2 import Identifier
from uuid_utils import uuid7

from chassis import scheduled
from chassis.errors import Conflict
from chassis.outbox import Outbox, Tx
from chassis.pool import Connection, Row
from identity.app import facts
from identity.db import customers, edges, evidence, identifiers, policies
from identity.domain.customers import Edge, Pair, Partition, name_people, partition
from identity.domain.policies import Policies

# Rounds of finding and locking a neighbourhood; one that still grows after the last is tried again later.
ROUNDS = 8
# Identifiers whose neighbourhoods are judged anew.
JUDGED = "people_judged"
# Changes the evidence of edges, under the identifiers' locks.
Write: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Observation:
    """Identifiers seen together: the first is linked to each of the others, since `at`.

    `seen_at`: when they were seen, where that is another time."""

    corp_id: str
    identifiers: tuple[Identifier, ...]
    at: datetime
    seen_at: datetime | None = None
    # What says so.
    fact_id: str = ""


async def observe(tx: Tx, observations: Iterable[Observation], source: str) -> None:
    """Makes every identifier belong to a customer and states what changed. Safe to repeat, in any order."""
    by_corp: dict[str, list[Observation]] = {}
    for observation in observations:
        if observation.identifiers:
            by_corp.setdefault(observation.corp_id, []).append(observation)
    for corp_id in sorted(by_corp):
        await _observe_corp(tx, corp_id, by_corp[corp_id], source)


async def judge(tx: Tx, corp_id: str, ids: Iterable[str], write: Write | None = None) -> None:
    """Decides anew who is one person among all that the identifiers are connected to; `write` runs before, once all
    of them are locked."""
    await _link(tx, corp_id, sorted(ids), {}, write)


class Judging:
    """Judges identifiers anew that somebody scheduled (chassis.effects.OneByOne)."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def perform(self, claim: scheduled.Claim) -> None:
        async with self._outbox.transaction() as tx:
            await judge(tx, claim.corp_id, [claim.key])
            await scheduled.finish(tx.connection, JUDGED, [(claim, "judged")])


async def _observe_corp(tx: Tx, corp_id: str, observations: Sequence[Observation], source: str) -> None:
    named: dict[str, Identifier] = {}
    seen: dict[str, datetime] = {}
    for observation in observations:
        at = observation.seen_at or observation.at
        for one in observation.identifiers:
            named[one.id] = one
            seen[one.id] = min(seen.get(one.id, at), at)
    said = _said_in(observations)

    # Most observations repeat what is known: they need no lock.
    known = await identifiers.known_identifiers(tx.connection, corp_id, sorted(named))
    there = await edges.known_edges(tx.connection, corp_id, said, source) if said else {}
    new_edges = [
        one
        for pair, one in said.items()
        if pair not in there or one.edge.at < there[pair]["at"] or not there[pair]["said"]
    ]
    # Of an edge of which some evidence is revoked, all its evidence decides.
    doubted = {pair for pair, edge in there.items() if edge["doubted"]}

    async def write() -> None:
        sure = [one for one in new_edges if one.pair not in doubted]
        unsure = [one for one in new_edges if one.pair in doubted]
        if sure:
            await edges.add_edges(tx.connection, corp_id, sure, source)
        if unsure:
            await evidence.add(tx.connection, corp_id, unsure, source)

    earlier = {one: seen[one] for one in known if seen[one] < known[one]}
    touched = {end for one in new_edges for end in one.pair}
    new = {one: named[one] for one in named if one not in known}
    if new:
        touched |= await _add(tx, corp_id, new, seen, alone=new.keys() - touched)
    earlier |= {one: seen[one] for one in touched & new.keys()}
    if touched or earlier:
        await _link(tx, corp_id, sorted(touched), earlier, write)


def _said_in(observations: Iterable[Observation]) -> dict[Pair, edges.Said]:
    """The earliest edge of each pair."""
    said: dict[Pair, edges.Said] = {}
    for observation in observations:
        head, *others = observation.identifiers
        for other in others:
            if head.id == other.id:
                continue
            edge = Edge.between(head.id, other.id, observation.at)
            known = said.get((edge.a, edge.b))
            if known is None or (edge.at, observation.fact_id) < (known.edge.at, known.fact_id):
                said[edge.a, edge.b] = edges.Said(edge, observation.fact_id)
    return said


async def _add(
    tx: Tx, corp_id: str, new: Mapping[str, Identifier], seen: Mapping[str, datetime], alone: Set[str]
) -> set[str]:
    """New identifiers, in one sorted statement, since a row that is inserted is a lock that is taken. Those that
    nothing links are a person each. Returns those of them that another transaction has added meanwhile: it may have
    seen them later than we did."""
    owners = {one: str(uuid7()) for one in alone}
    rows = [
        identifiers.NewIdentifier(one, name.kind, name.scope, name.sealed, seen[one], owners.get(one))
        for one, name in new.items()
    ]
    added = await identifiers.add_identifiers(tx.connection, corp_id, rows)
    persons = [one for one in added if one in alone]
    versions = await identifiers.next_versions(tx.connection, len(persons))
    for one, version in zip(persons, versions, strict=True):
        tx.publish(facts.identifiers_assigned(corp_id, owners[one], [one], version), corp_id=corp_id)
    return set(alone) - set(added)


async def _link(
    tx: Tx, corp_id: str, touched: Sequence[str], earlier: Mapping[str, datetime], write: Write | None
) -> None:
    """Locks all that `touched` are connected to, writes what is new, and decides anew who is one person.

    Identifiers that were only seen `earlier` than was known are locked with them: their customers become older, and
    stay who they are.
    """
    for _ in range(ROUNDS):
        wanted = await edges.reachable(tx.connection, corp_id, touched) if touched else []
        savepoint = tx.connection.transaction()
        await savepoint.start()
        locked = await identifiers.lock_identifiers(tx.connection, corp_id, sorted({*wanted, *earlier}))
        if not touched or set(await edges.reachable(tx.connection, corp_id, touched)) <= set(wanted):
            break
        await savepoint.rollback()  # lets the locks go, so that the larger set is locked in order
    else:
        raise Conflict("IDENTITY_STORM", "the neighbourhood kept growing")
    if write is not None:
        await write()
    sooner = {one: at for one, at in earlier.items() if at < locked[one]["first_seen"]}
    if sooner:
        await identifiers.see(tx.connection, corp_id, sooner)
    connected = {one: locked[one] for one in wanted if one in locked}
    aged = _created({one: locked[one] for one in sooner if one not in connected}, sooner)
    if aged:
        await customers.age(tx.connection, corp_id, aged)
    if connected:
        await _repartition(tx, corp_id, connected, sooner)
    await savepoint.commit()


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """All that edges connect, crowds left out, and what is said of it: enough to decide who is one person."""

    kinds: Mapping[str, str]
    edges: Sequence[Edge]
    # Links of each identifier, those to crowds and revoked ones included.
    degrees: Mapping[str, int]
    apart: Sequence[Pair]

    def people(self, policies: Policies) -> Partition:
        return partition(self.kinds, self.edges, self.degrees, policies=policies, apart=self.apart)


async def read_neighbourhood(connection: Connection, corp_id: str, rows: Mapping[str, Row]) -> Neighbourhood:
    # A crowd names nobody from then on, and its edges are not even looked at.
    suspects = [one for one in sorted(rows) if rows[one]["quarantined"]]
    crowds = await edges.crowds(connection, corp_id, suspects) if suspects else set()
    kinds = {one: row["kind"] for one, row in rows.items() if one not in crowds}
    found, degrees, apart = [], Counter[str](), []
    for row in await edges.links_of(connection, corp_id, sorted(kinds)):
        pair = row["from_id"], row["to_id"]
        if row["is_apart"]:
            apart.append(pair)
            continue
        degrees[row["from_id"]] += 1
        if pair[0] < pair[1] and pair[1] in kinds and not row["is_revoked"]:
            found.append(Edge(row["at"], *pair))
    return Neighbourhood(kinds, found, degrees, apart)


async def _repartition(tx: Tx, corp_id: str, locked: Mapping[str, Row], sooner: Mapping[str, datetime]) -> None:
    there = await read_neighbourhood(tx.connection, corp_id, locked)
    result = there.people(await policies.of_corp(tx.connection, corp_id))
    decision = _decide(there, result, locked, sooner)
    await _save(tx, corp_id, decision)
    if there.degrees:
        await edges.replace_conflicts(tx.connection, corp_id, sorted(locked), result.refused)
    await _state(tx, corp_id, decision)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the customers of a neighbourhood."""

    # Customer → when they were first heard of, of those that are new or older than was known.
    created: Mapping[str, datetime]
    # Customer → the one they are part of now.
    merged: Mapping[str, str]
    # All they had was a value that turned out to name nobody.
    dissolved: Set[str]
    # Identifier → its customer from now on, of those that move; None quarantines.
    owners: Mapping[str, str | None]
    # What is to be stated: customer and all of their identifiers; no customer for those that are quarantined now.
    changed: Sequence[tuple[str, Iterable[str]]]


def _decide(
    there: Neighbourhood, result: Partition, locked: Mapping[str, Row], sooner: Mapping[str, datetime]
) -> Decision:
    before: dict[str, str | None] = {one: locked[one]["customer_id"] for one in there.kinds}
    names = name_people(result.people, before)
    kept = {name for name in names.values() if name is not None}
    created_before = _created(locked, {})

    newly_quarantined = [one for one in sorted(result.quarantined) if not locked[one]["quarantined"]]
    owners: dict[str, str | None] = dict.fromkeys(newly_quarantined)
    created: dict[str, datetime] = {}
    merged: dict[str, str] = {}
    changed: list[tuple[str, Iterable[str]]] = []
    for group, kept_name in names.items():
        customer_id = kept_name or str(uuid7())
        first_seen = min(sooner.get(one, locked[one]["first_seen"]) for one in group)
        if created_before.get(customer_id) != first_seen:
            created[customer_id] = first_seen
        movers = [one for one in group if before[one] != customer_id]
        if movers or any(before[one] == customer_id and one not in group for one in before):
            changed.append((customer_id, group))
        owners.update(dict.fromkeys(movers, customer_id))
        merged.update({old: customer_id for one in movers if (old := before[one]) and old not in kept})
    if newly_quarantined:
        changed.append(("", newly_quarantined))
    dissolved = {old for old in before.values() if old and old not in kept and old not in merged}
    return Decision(created, merged, dissolved, owners, changed)


async def _save(tx: Tx, corp_id: str, decision: Decision) -> None:
    if decision.created:
        await customers.save(tx.connection, corp_id, decision.created)
    if decision.merged:
        await customers.merge(tx.connection, corp_id, decision.merged)
    if decision.dissolved:
        await customers.dissolve(tx.connection, corp_id, decision.dissolved)
    if decision.owners:
        await identifiers.assign(tx.connection, corp_id, decision.owners)


async def _state(tx: Tx, corp_id: str, decision: Decision) -> None:
    versions = await identifiers.next_versions(tx.connection, len(decision.changed))
    for (customer_id, members), version in zip(decision.changed, versions, strict=True):
        tx.publish(facts.identifiers_assigned(corp_id, customer_id, members, version), corp_id=corp_id)


def _created(rows: Mapping[str, Row], sooner: Mapping[str, datetime]) -> dict[str, datetime]:
    """Customer → when the first of its identifiers among `rows` was first seen."""
    created: dict[str, datetime] = {}
    for one, row in rows.items():
        customer_id, first_seen = row["customer_id"], sooner.get(one, row["first_seen"])
        if customer_id:
            created[customer_id] = min(created.get(customer_id, first_seen), first_seen)
    return created


async def ask_to_judge(tx: Tx, corp_id: str, ids: Iterable[str]) -> None:
    now = datetime.now(UTC)
    await scheduled.schedule_again(tx.connection, JUDGED, [scheduled.Job(corp_id, one, now) for one in ids])
