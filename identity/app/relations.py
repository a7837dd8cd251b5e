"""Follow relations: each pair's history is kept, its state is computed anew from all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chassis.outbox import Tx
from identity.app import facts
from identity.db import relations as db
from identity.domain.relations import FollowEvent, spans_of


@dataclass(frozen=True, slots=True)
class Followed:
    """One event between an employee and a contact."""

    corp_id: str
    fact_id: str
    contact_id: str
    userid: str
    kind: str
    by_transfer: bool
    at: datetime


async def record(tx: Tx, events: Iterable[Followed]) -> None:
    """Adds the events and states every relation that they change."""
    events = list(events)
    if not events:
        return
    await db.add_events(
        tx.connection, [(e.corp_id, e.fact_id, e.contact_id, e.userid, e.kind, e.by_transfer, e.at) for e in events]
    )
    pairs = sorted({(e.corp_id, e.contact_id, e.userid) for e in events})
    locked = await db.lock_pairs(tx.connection, pairs)
    history: dict[db.Pair, list[FollowEvent]] = {pair: [] for pair in pairs}
    for row in await db.events_of(tx.connection, pairs):
        history[row["corp_id"], row["contact_id"], row["userid"]].append(
            FollowEvent(row["kind"], row["at"], row["fact_id"])
        )
    updates = []
    for pair, known in history.items():
        spans = spans_of(known)
        version = locked[pair]["version"] + 1
        last = spans[-1] if spans else None
        alive = last is not None and last.ended_at is None
        updates.append((*pair, alive, last and last.added_at, last and last.ended_at, version))
        corp_id, contact_id, userid = pair
        tx.publish(facts.relation_changed(corp_id, contact_id, userid, spans, version), corp_id=corp_id)
    await db.update(tx.connection, updates)
