"""Identity's heart: observations of identifiers become people (reference: models, section 3, done set-based).

New identifiers are inserted in key order, everything that edges connect is locked in key order, and the partition is
computed anew from all edges of what is locked. Two transactions that could disagree always share a locked row: who is
one person, and which value is quarantined, depends on nothing outside of what edges connect, crowds left out; and what
is a crowd depends on its own row alone.

A row that a transaction inserts is locked by that, and nobody else can know an edge of it: it is neither walked from
nor locked again, and it is inserted with the customer that it will most likely have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from bihuan.common.v1.identifier_pb2 import Identifier
from uuid_utils import uuid7

from chassis import scheduled
from chassis.errors import Conflict
from chassis.outbox import Outbox, Tx
from chassis.pool import Row
from identity.app import facts
from identity.app.decisions import carry_out, decide
from identity.app.neighbourhoods import Neighbourhood, read_neighbourhood
from identity.db import edges, evidence, identifiers
from identity.db.identifiers import NewIdentifier
from identity.domain.customers import Edge, Pair, likely_customers

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


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be decided anew: all that `touched` are connected to."""

    touched: Set[str]
    # Those of them that this transaction has inserted.
    added: Mapping[str, NewIdentifier] = field(default_factory=dict)
    # When identifiers were seen by now.
    seen: Mapping[str, datetime] = field(default_factory=dict)
    news: Sequence[edges.Said] = ()
    source: str = ""
    # Runs once all of them are locked, before their edges are read.
    write: Write | None = None


async def judge(tx: Tx, corp_id: str, ids: Iterable[str], write: Write | None = None) -> None:
    """Decides anew who is one person among all that the identifiers are connected to; `write` runs before, once all
    of them are locked."""
    await _apply(tx, corp_id, Change(frozenset(ids), write=write))


class Judging:
    """Judges identifiers anew that somebody scheduled (chassis.effects.OneByOne)."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def perform(self, claim: scheduled.Claim) -> None:
        async with self._outbox.transaction() as tx:
            await judge(tx, claim.corp_id, [claim.key])
            await scheduled.finish(tx.connection, JUDGED, [(claim, "judged")])


async def ask_to_judge(tx: Tx, corp_id: str, ids: Iterable[str]) -> None:
    now = datetime.now(UTC)
    await scheduled.schedule_again(tx.connection, JUDGED, [scheduled.Job(corp_id, one, now) for one in ids])


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
    news = [one for pair, one in said.items() if pair not in there or _is_earlier(one, there[pair])]
    # Of an edge of which some evidence is revoked, all its evidence decides.
    doubted = {pair for pair, edge in there.items() if edge["doubted"]}
    unsure = [one for one in news if one.pair in doubted]

    async def write() -> None:
        await evidence.add(tx.connection, corp_id, unsure, source)

    touched = {end for one in news for end in one.pair}
    touched |= {one for one, row in known.items() if seen[one] < row["first_seen"]}
    new = {one: named[one] for one in named if one not in known}
    added = await _add(tx, corp_id, new, seen, known, touched, news) if new else {}
    # Another transaction has added it meanwhile: it may have seen it later than we did.
    touched |= new.keys() - added.keys()
    if touched:
        mine = {one: row for one, row in added.items() if one in touched}
        sure = [one for one in news if one.pair not in doubted]
        await _apply(tx, corp_id, Change(touched, mine, seen, sure, source, write if unsure else None))


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


def _is_earlier(said: edges.Said, known: Row) -> bool:
    """Whether the source has not said so yet, or only later than now."""
    return known["said_at"] is None or (said.edge.at, said.fact_id) < (known["said_at"], known["fact_id"])


async def _add(
    tx: Tx,
    corp_id: str,
    new: Mapping[str, Identifier],
    seen: Mapping[str, datetime],
    known: Mapping[str, Row],
    touched: Set[str],
    news: Iterable[edges.Said],
) -> dict[str, NewIdentifier]:
    """New identifiers, in one sorted statement, since a row that is inserted is a lock that is taken. Those that
    nothing links are a person each. Returns those that no other transaction has added meanwhile."""
    owners = {one: row["customer_id"] for one, row in known.items()}
    likely = likely_customers(new, owners, (one.pair for one in news), lambda: str(uuid7()))
    known_customers = set(owners.values())
    rows = [
        NewIdentifier(
            one,
            name.kind,
            name.scope,
            name.sealed,
            seen[one],
            likely[one],
            is_made=likely[one] not in known_customers,
            is_alone=one not in touched,
        )
        for one, name in new.items()
    ]
    versions = await identifiers.add_identifiers(tx.connection, corp_id, rows)
    added = {row.identifier_id: row for row in rows if row.identifier_id in versions}
    for one, row in sorted(added.items()):
        if row.is_alone:
            tx.publish(facts.identifiers_assigned(corp_id, row.customer_id, [one], versions[one]), corp_id=corp_id)
    return added


async def _apply(tx: Tx, corp_id: str, change: Change) -> None:
    """Locks all that is touched and what it is connected to, writes what is new, and decides who is one person."""
    rows, there = await _lock(tx, corp_id, change)
    if change.news:
        await edges.add_edges(tx.connection, corp_id, change.news, change.source)
    sooner = {
        one: at for one, row in rows.items() if (at := change.seen.get(one)) is not None and at < row["first_seen"]
    }
    await carry_out(tx, corp_id, decide(there, rows, sooner, change.added))


async def _lock(tx: Tx, corp_id: str, change: Change) -> tuple[Mapping[str, Row], Neighbourhood]:
    """The rows of all that is connected to what is touched, locked, and how it is connected."""
    added: dict[str, Row] = {one: new.row for one, new in change.added.items()}
    news = [one.edge for one in change.news]
    others = sorted(change.touched - added.keys())
    if not others:
        return added, await read_neighbourhood(tx.connection, corp_id, added, added.keys(), news)
    # So that the locks can be let go again; it ends with the transaction.
    await tx.connection.execute("savepoint neighbourhood")
    for _ in range(ROUNDS):
        rows = await edges.connected(tx.connection, corp_id, others, locked=True) | added
        if change.write is not None:
            await change.write()
        there = await read_neighbourhood(tx.connection, corp_id, rows, added.keys(), news)
        if there.is_whole:
            return rows, there
        # It has grown while we waited: the larger one is locked in order.
        await tx.connection.execute("rollback to savepoint neighbourhood")
    raise Conflict("IDENTITY_STORM", "the neighbourhood kept growing")
