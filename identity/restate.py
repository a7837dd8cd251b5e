"""What identity knows, stated anew (chassis.restate)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from bihuan.common.v1.identifier_pb2 import Identifier
from bihuan.identity.v1.facts_pb2 import ContactRead

from chassis.outbox import Tx
from chassis.restate import PAGE, Position, Restatement
from identity.app import facts
from identity.db import identifiers
from identity.db import relations as relations_db
from identity.domain.relations import FollowEvent, spans_of

FIRST = str(UUID(int=0))


async def customers(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    """Assignments have no version of their own to be found again: each gets the next one, under the locks of its
    identifiers, as every assignment does."""
    ids = await tx.connection.fetch(
        """
        select customer_id
        from customers
        where corp_id = $1 and customer_id > $2 and merged_into is null
        order by customer_id
        limit $3
        """,
        corp_id,
        *(after or (FIRST,)),
        PAGE,
    )
    if not ids:
        return None
    rows = await tx.connection.fetch(
        """
        select identifier_id, customer_id, first_seen
        from identifiers
        where corp_id = $1 and customer_id = any($2::uuid[])
        order by identifier_id
        for update
        """,
        corp_id,
        [row["customer_id"] for row in ids],
    )
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row["customer_id"], []).append(row["identifier_id"])
    if since is not None:
        recent = await _recent(tx, corp_id, sorted(row["identifier_id"] for row in rows), since)
        groups = {customer: ids for customer, ids in groups.items() if not recent.isdisjoint(ids)}
    versions = await identifiers.next_versions(tx.connection, len(groups))
    for (customer_id, own), version in zip(sorted(groups.items()), versions, strict=True):
        tx.publish(facts.identifiers_assigned(corp_id, customer_id, own, version), corp_id=corp_id)
    return (ids[-1]["customer_id"],)


async def _recent(tx: Tx, corp_id: str, ids: list[str], since: datetime) -> set[str]:
    """Those of the identifiers that were first seen since then, or linked by something that happened since."""
    rows = await tx.connection.fetch(
        """
        select identifier_id
        from identifiers i
        where corp_id = $1
            and identifier_id = any($2::uuid[])
            and (
                first_seen >= $3
                or exists (
                    select from edges e
                    where e.corp_id = i.corp_id and e.from_id = i.identifier_id and e.at >= $3
                )
            )
        """,
        corp_id,
        ids,
        since,
    )
    return {row["identifier_id"] for row in rows}


async def quarantined(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    """Values that name nobody; `since` does not apply, for it is not known when they came to that."""
    rows = await tx.connection.fetch(
        """
        select identifier_id, quarantined
        from identifiers
        where corp_id = $1 and identifier_id > $2
        order by identifier_id
        limit $3
        """,
        corp_id,
        *(after or (FIRST,)),
        PAGE * 10,
    )
    if not rows:
        return None
    locked = await identifiers.lock_identifiers(
        tx.connection, corp_id, [row["identifier_id"] for row in rows if row["quarantined"]]
    )
    ids = sorted(one for one, row in locked.items() if row["quarantined"])
    if ids:
        (version,) = await identifiers.next_versions(tx.connection, 1)
        tx.publish(facts.identifiers_assigned(corp_id, "", ids, version), corp_id=corp_id)
    return (rows[-1]["identifier_id"],)


async def relations(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    rows = await tx.connection.fetch(
        """
        select contact_id, userid, version
        from relations
        where corp_id = $1 and (contact_id, userid) > ($2::uuid, $3)
        order by contact_id, userid
        limit $4
        """,
        corp_id,
        *(after or (FIRST, "")),
        PAGE,
    )
    if not rows:
        return None
    history: dict[tuple[str, str], list[FollowEvent]] = {}
    pairs = [(corp_id, row["contact_id"], row["userid"]) for row in rows]
    for one in await relations_db.events_of(tx.connection, pairs):
        history.setdefault((one.contact_id, one.userid), []).append(one.event)
    for row in rows:
        events = history.get((row["contact_id"], row["userid"]), [])
        if since is None or any(event.at >= since for event in events):
            fact = facts.relation_changed(corp_id, row["contact_id"], row["userid"], spans_of(events), row["version"])
            tx.publish(fact, corp_id=corp_id)
    return (rows[-1]["contact_id"], rows[-1]["userid"])


async def contacts(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    """Of a reading only the name is kept here: the rest is stated by the next one."""
    rows = await tx.connection.fetch(
        """
        select c.contact_id, c.sealed_name, c.version, i.sealed as sealed_id
        from contacts c
        join identifiers i on (i.corp_id, i.identifier_id) = (c.corp_id, c.contact_id)
        where c.corp_id = $1 and c.contact_id > $2
        order by c.contact_id
        limit $3
        """,
        corp_id,
        *(after or (FIRST,)),
        PAGE,
    )
    for row in rows:
        if since is None or row["version"] >= since.timestamp() * 1_000_000:
            fact = ContactRead(
                corp_id=corp_id,
                contact=Identifier(kind="external_userid", id=row["contact_id"], sealed=row["sealed_id"]),
                sealed_name=row["sealed_name"],
                version=row["version"],
            )
            tx.publish(fact, corp_id=corp_id)
    return (rows[-1]["contact_id"],) if rows else None


async def staff(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    rows = await tx.connection.fetch(
        """
        select *
        from staff
        where corp_id = $1 and userid > $2
        order by userid
        limit $3
        """,
        corp_id,
        *(after or ("",)),
        PAGE,
    )
    for row in rows:
        if since is None or row["read_at"] >= since:
            tx.publish(facts.staff_placed(corp_id, dict(row)), corp_id=corp_id)
    return (rows[-1]["userid"],) if rows else None


# Who is who comes last: what is recomputed when it arrives finds the rest.
RESTATEMENTS = (
    Restatement("StaffPlaced", "staff", staff),
    Restatement("ContactRead", "contacts", contacts),
    Restatement("RelationChanged", "relations", relations),
    Restatement("IdentifiersAssigned", "customers", customers),
    Restatement("IdentifiersAssigned", "identifiers", quarantined),
)
