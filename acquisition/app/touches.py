"""An add becomes an acquisition: routed to its channel, told apart from a return, restated when that changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bihuan.acquisition.v1.facts_pb2 import AcquisitionKind, CustomerAcquired
from bihuan.common.v1.identifier_pb2 import Identifier

from acquisition.db import channels, live_codes
from acquisition.db import touches as db
from acquisition.domain.touches import Code, Touch, kinds_of, route
from chassis.moments import stamp
from chassis.outbox import Tx
from chassis.pool import Row


@dataclass(frozen=True, slots=True)
class Added:
    """An add event, as it came in at the door."""

    corp_id: str
    touch_id: str
    contact_id: str
    sealed_contact: bytes
    userid: str
    state: str
    half: bool
    sealed_welcome_code: bytes
    added_at: datetime
    arrived_at: datetime


async def acquire(tx: Tx, adds: Iterable[Added]) -> None:
    """Records the adds and states CustomerAcquired for each, and anew for those whose kind they change."""
    adds = list(adds)
    contacts = sorted({(add.corp_id, add.contact_id) for add in adds})
    await db.lock_contacts(tx.connection, contacts)
    defaults = await channels.ensure_default(tx.connection, (add.corp_id for add in adds))
    codes: dict[str, dict[str, Code]] = defaultdict(dict)
    for row in await live_codes.by_states(tx.connection, sorted({(a.corp_id, a.state) for a in adds if a.state})):
        codes[row["corp_id"]][row["state"]] = Code(row["live_code_id"], row["channel_id"], row["paused_at"])

    # What is known of these contacts, and the new adds beside it: nobody else changes either while we hold the lock.
    by_contact: dict[db.Contact, dict[str, Row]] = defaultdict(dict)
    for row in await db.of_contacts(tx.connection, contacts):
        by_contact[row["corp_id"], row["contact_id"]][row["touch_id"]] = row
    new: dict[tuple[str, str], dict[str, Any]] = {}
    for add in adds:
        known = by_contact[add.corp_id, add.contact_id]
        if add.touch_id in known:
            continue
        code, fallback = route(add.state, codes[add.corp_id], add.added_at)
        known[add.touch_id] = new[add.corp_id, add.touch_id] = {
            "corp_id": add.corp_id,
            "touch_id": add.touch_id,
            "contact_id": add.contact_id,
            "sealed_contact": add.sealed_contact,
            "userid": add.userid,
            "channel_id": code.channel_id if code else defaults[add.corp_id],
            "live_code_id": code.live_code_id if code else None,
            "fallback": fallback,
            "half": add.half,
            "sealed_welcome_code": add.sealed_welcome_code,
            "added_at": add.added_at,
            "arrived_at": add.arrived_at,
            "kind": "",
            "version": 0,
        }
    changed = []
    for (corp_id, _), known in by_contact.items():
        kinds = kinds_of(Touch(r["touch_id"], r["userid"], r["half"], r["added_at"]) for r in known.values())
        for touch_id, kind in kinds.items():
            row = known[touch_id]
            if row["kind"] == kind:
                continue
            version = row["version"] + 1
            tx.publish(acquired(row, kind, version), corp_id=corp_id)
            if (corp_id, touch_id) in new:
                new[corp_id, touch_id] |= {"kind": kind, "version": version}
            else:
                changed.append((corp_id, touch_id, kind, version))
    if new:
        await db.insert(tx.connection, new.values())
    if changed:
        await db.set_kinds(tx.connection, changed)


def acquired(row: Row, kind: str, version: int) -> CustomerAcquired:
    return CustomerAcquired(
        corp_id=row["corp_id"],
        touch_id=row["touch_id"],
        version=version,
        contact=Identifier(kind="external_userid", id=row["contact_id"], sealed=row["sealed_contact"]),
        userid=row["userid"],
        channel_id=row["channel_id"],
        live_code_id=row["live_code_id"] or "",
        kind=AcquisitionKind.Value(f"ACQUISITION_KIND_{kind}"),
        sealed_welcome_code=row["sealed_welcome_code"],
        added_at=stamp(row["added_at"]),
        arrived_at=stamp(row["arrived_at"]),
    )
