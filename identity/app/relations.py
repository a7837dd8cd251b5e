"""Follow relations: each pair's history is kept, its state is computed anew from all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chassis.kernel.alerts import publish_alert
from chassis.kernel.renames import known_as
from chassis.outbox import Tx
from identity.app import facts
from identity.db import relations as db
from identity.db import renames
from identity.db.relations import Contact, Pair, PairEvent, Relation
from identity.domain.contacts import Follow
from identity.domain.relations import DELETED_BY_CUSTOMER, FollowEvent, lost, spans_of

# What arrived longer ago is told to nobody: a replay, a new durable, the end of a long outage.
FRESH = timedelta(hours=6)
# A follow of WeCom's answer belongs to the nearest add, if that is not further away.
NEAR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class News:
    """An event between an employee and a contact, as it arrived."""

    corp_id: str
    contact_id: str
    userid: str
    event: FollowEvent
    arrived_at: datetime


async def record(tx: Tx, news: Sequence[News]) -> None:
    """Adds the events, states every relation that they change, and tells employees whom they lost."""
    if not news:
        return
    events = await _under_present_userids(tx, news)
    added = await db.add_events(tx.connection, events)
    arrived = {(one.corp_id, one.event.fact_id): one.arrived_at for one in news}
    await _restate(tx, {event.pair for event in events}, {fact: arrived[fact] for fact in added})


async def move(tx: Tx, events: Iterable[PairEvent]) -> None:
    """States the relations of events whose present userid has changed: both those they leave and those they join."""
    events = list(events)
    known = await _known_renames(tx, {(e.corp_id, e.said_userid or e.userid) for e in events})
    moved, pairs = [], set()
    for event in events:
        said = event.said_userid or event.userid
        userid = known_as(said, event.event.at, known.get((event.corp_id, said), ()))
        if userid != event.userid:
            pairs |= {event.pair, (event.corp_id, event.contact_id, userid)}
            moved.append(replace(event, userid=userid, said_userid=said if said != userid else None))
    if moved:
        await db.lock_pairs(tx.connection, pairs)
        await db.rename_events(tx.connection, moved)
        await _restate(tx, pairs, {})


async def describe(tx: Tx, adds: Iterable[PairEvent], follows: Mapping[Contact, Sequence[Follow]]) -> None:
    """Takes over what a reading says of how relations came about; restates those of which it says something new."""
    described = []
    by_pair: dict[Pair, list[PairEvent]] = {}
    for add in adds:
        by_pair.setdefault(add.pair, []).append(add)
    for (corp_id, contact_id), said in follows.items():
        for follow in said:
            nearest = _nearest(by_pair.get((corp_id, contact_id, follow.userid), ()), follow)
            if nearest is None:
                continue
            state = nearest.event.state or follow.state
            event = replace(nearest.event, state=state)
            if follow.add_way and follow.add_way != event.way:
                event = replace(event, add_way=follow.add_way)
            if event != nearest.event:
                described.append(replace(nearest, event=event))
    if described:
        pairs = {add.pair for add in described}
        await db.lock_pairs(tx.connection, pairs)
        await db.describe_adds(tx.connection, described)
        await _restate(tx, pairs, {})


def _nearest(adds: Iterable[PairEvent], follow: Follow) -> PairEvent | None:
    """The add that a follow of WeCom's answer tells of."""
    began = follow.added_at
    if began is None:
        return None
    near = [add for add in adds if abs(add.event.at - began) <= NEAR]
    return min(near, key=lambda add: (abs(add.event.at - began), add.event.fact_id), default=None)


async def _under_present_userids(tx: Tx, news: Sequence[News]) -> list[PairEvent]:
    known = await _known_renames(tx, {(one.corp_id, one.userid) for one in news})
    events = []
    for one in news:
        userid = known_as(one.userid, one.event.at, known.get((one.corp_id, one.userid), ()))
        said = one.userid if one.userid != userid else None
        events.append(PairEvent(one.corp_id, one.contact_id, userid, one.event, said))
    return events


async def _known_renames(tx: Tx, members: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], renames.Chain]:
    return await renames.chains(tx.connection, members)


async def _restate(tx: Tx, pairs: Iterable[Pair], added: Mapping[tuple[str, str], datetime]) -> None:
    """Computes the pairs anew from all their events. `added`: (corp, fact) of the new ones → when they arrived."""
    versions = await db.lock_pairs(tx.connection, pairs)
    histories: dict[Pair, list[FollowEvent]] = {pair: [] for pair in versions}
    for one in await db.events_of(tx.connection, versions):
        histories[one.pair].append(one.event)
    relations = []
    for pair, history in histories.items():
        spans, version = spans_of(history), versions[pair] + 1
        added_at, ended_at = (spans[-1].added_at, spans[-1].ended_at) if spans else (None, None)
        alive = added_at is not None and ended_at is None
        relations.append(Relation(pair, alive, added_at, ended_at, version))
        tx.publish(facts.relation_changed(*pair, spans, version), corp_id=pair[0])
        _tell(tx, pair, history, added)
    await db.update(tx.connection, relations)


def _tell(tx: Tx, pair: Pair, history: Sequence[FollowEvent], added: Mapping[tuple[str, str], datetime]) -> None:
    """Tells the employee of a customer whom the new events show to have left."""
    corp_id, contact_id, userid = pair
    arrivals = [added[corp_id, event.fact_id] for event in history if (corp_id, event.fact_id) in added]
    if not any(event.kind == DELETED_BY_CUSTOMER for event in history) or not arrivals:
        return
    arrived_at = max(arrivals)
    if arrived_at < datetime.now(UTC) - FRESH:
        return
    before = spans_of(event for event in history if (corp_id, event.fact_id) not in added)
    for span in lost(before, spans_of(history)):
        publish_alert(tx, facts.friend_lost(corp_id, contact_id, userid, span, arrived_at))
