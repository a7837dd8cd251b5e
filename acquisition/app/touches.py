"""An add becomes an acquisition: routed to its channel, told apart from a return, restated when that changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from bihuan.acquisition.v1.facts_pb2 import AcquisitionKind, CustomerAcquired
from bihuan.common.v1.identifier_pb2 import Identifier
from bihuan.staff.v1.facts_pb2 import Importance, NextStep, StaffAlerted

from acquisition.db import channels, live_codes
from acquisition.db import touches as db
from acquisition.db.touches import Contact, Touch
from acquisition.domain.touches import CONFIRMED, NEW, RETURNING, Add, Code, Occasion, kinds_of, occasions_of, route
from chassis.kernel.alerts import alert_id, publish_alert
from chassis.kernel.renames import Rename, known_as, onward
from chassis.moments import stamp
from chassis.outbox import Outbox, Tx

KINDS = {kind: AcquisitionKind.Value(f"ACQUISITION_KIND_{kind}") for kind in (NEW, RETURNING, CONFIRMED)}
# An add that arrived longer ago is history to its employee, not news.
NEWS = timedelta(hours=6)
# Contacts in one transaction.
CAUGHT_UP_AT_ONCE = 500

Key: TypeAlias = tuple[str, str]  # corp, touch id
Renames: TypeAlias = Mapping[str, Sequence[Rename]]  # by corp


class Added(NamedTuple):
    """An add event, as it came in at the door."""

    corp_id: str
    touch_id: str
    contact_id: str
    sealed_contact: bytes
    userid: str
    state: str
    half: bool
    sealed_welcome_code: bytes
    # The app that was told; 0: the corp's main one.
    agent_id: int
    added_at: datetime
    arrived_at: datetime


async def acquire(tx: Tx, adds: Iterable[Added]) -> None:
    """Records the adds, states CustomerAcquired for each and anew for those whose kind they change, and tells the
    employee of each new friend once."""
    came = {(add.corp_id, add.touch_id): add for add in adds}
    contacts = sorted({(add.corp_id, add.contact_id) for add in came.values()})
    known = await _lock(tx, contacts)
    routed = await _route(tx, [add for key, add in came.items() if key not in known])
    await _decide(tx, known, routed)


async def decide(tx: Tx, contacts: Iterable[Contact]) -> None:
    """Decides anew about all adds of these contacts: what the release before decided, and what a rename changes."""
    await _decide(tx, await _lock(tx, sorted(set(contacts))), {})


async def catch_up(outbox: Outbox) -> int:
    """Decides where a replica of the release before did, since it looks at less; returns about how many contacts."""
    async with outbox.transaction() as tx:
        contacts = await db.undecided(tx.connection, CAUGHT_UP_AT_ONCE)
        if contacts:
            await decide(tx, contacts)
    return len(contacts)


async def _lock(tx: Tx, contacts: Sequence[Contact]) -> dict[Key, Touch]:
    """The touches of these contacts. Nobody else changes them while we hold the contacts' locks."""
    known = await db.lock_contacts(tx.connection, contacts)
    return {(touch.corp_id, touch.touch_id): touch for touch in await db.of_contacts(tx.connection, known)}


async def _decide(tx: Tx, known: Mapping[Key, Touch], routed: Mapping[Key, Touch]) -> None:
    touches = {**known, **routed}
    if not touches:
        return
    renames = await onward(tx.connection, [(touch.corp_id, touch.userid) for touch in touches.values()])
    decided, told = _reclassify(touches, renames)
    await db.insert(tx.connection, (touch for key, touch in decided.items() if key in routed))
    await db.update(tx.connection, (touch for key, touch in decided.items() if key in known))
    _publish(tx, (touch for key, touch in decided.items() if touch.version != touches[key].version), told, renames)


async def _route(tx: Tx, adds: Sequence[Added]) -> dict[Key, Touch]:
    """The adds as touches of their channels, not classified yet."""
    if not adds:
        return {}
    defaults = await channels.ensure_default(tx.connection, (add.corp_id for add in adds))
    states = sorted({(add.corp_id, add.state) for add in adds if add.state})
    codes: dict[str, dict[str, Code]] = defaultdict(dict)
    for row in await live_codes.by_states(tx.connection, states):
        codes[row["corp_id"]][row["state"]] = Code(
            row["live_code_id"],
            row["channel_id"],
            row["paused_at"],
            [(pause.lower, pause.upper) for pause in row["past_pauses"]],
        )
    routed = {}
    for add in adds:
        code, fallback = route(add.state, codes[add.corp_id], add.added_at)
        routed[add.corp_id, add.touch_id] = Touch(
            corp_id=add.corp_id,
            touch_id=add.touch_id,
            contact_id=add.contact_id,
            sealed_contact=add.sealed_contact,
            userid=add.userid,
            channel_id=code.channel_id if code else defaults[add.corp_id],
            live_code_id=code.live_code_id if code else None,
            fallback=fallback,
            half=add.half,
            sealed_welcome_code=add.sealed_welcome_code,
            agent_id=add.agent_id,
            added_at=add.added_at,
            arrived_at=add.arrived_at,
            kind=None,
            version=0,
            alerted=False,
            decided_version=None,
        )
    return routed


def _reclassify(touches: Mapping[Key, Touch], renames: Renames) -> tuple[dict[Key, Touch], list[Touch]]:
    """The touches as they are decided, where that says something new, and those among them of which the employee is
    told.

    An occasion's employee is told once, whichever of its adds came first.
    """
    by_contact: dict[Contact, list[Touch]] = defaultdict(list)
    for touch in touches.values():
        by_contact[touch.contact].append(touch)
    decided: dict[Key, Touch] = {}
    told: list[Touch] = []
    for (corp_id, _), own in by_contact.items():
        occasions = occasions_of(_add(touch, renames) for touch in own)
        for touch_id, kind in kinds_of(occasions).items():
            touch = touches[corp_id, touch_id]
            version = touch.version + (touch.kind != kind)
            if version != touch.version or (kind != NEW and touch.decided_version != version):
                decided[corp_id, touch_id] = touch._replace(kind=kind, version=version, decided_version=version)
        for occasion in occasions:
            if _is_news(corp_id, occasion, touches):
                key = (corp_id, occasion.counted.touch_id)
                decided[key] = decided[key]._replace(alerted=True)
                told.append(decided[key])
    return decided, told


def _is_news(corp_id: str, occasion: Occasion, touches: Mapping[Key, Touch]) -> bool:
    """True when its counted add was not counted before, came in lately, and nobody was told of it."""
    counted = touches[corp_id, occasion.counted.touch_id]
    return (
        counted.kind in (None, CONFIRMED)
        and counted.arrived_at > datetime.now(UTC) - NEWS
        and not any(touches[corp_id, add.touch_id].alerted for add in occasion.adds)
    )


def _add(touch: Touch, renames: Renames) -> Add:
    return Add(touch.touch_id, _member(touch, renames), touch.half, touch.live_code_id, touch.added_at)


def _member(touch: Touch, renames: Renames) -> str:
    """The present userid of the member who was added."""
    return known_as(touch.userid, touch.added_at, renames.get(touch.corp_id, ()))


def _publish(tx: Tx, changed: Iterable[Touch], told: Iterable[Touch], renames: Renames) -> None:
    for touch in changed:
        tx.publish(acquired(touch), corp_id=touch.corp_id)
    for touch in told:
        publish_alert(tx, _friend_added(touch, _member(touch, renames)))


def acquired(touch: Touch) -> CustomerAcquired:
    return CustomerAcquired(
        corp_id=touch.corp_id,
        touch_id=touch.touch_id,
        version=touch.version,
        contact=Identifier(kind="external_userid", id=touch.contact_id, sealed=touch.sealed_contact),
        userid=touch.userid,
        channel_id=touch.channel_id,
        live_code_id=touch.live_code_id or "",
        kind=KINDS[touch.kind] if touch.kind else AcquisitionKind.ACQUISITION_KIND_UNSPECIFIED,
        sealed_welcome_code=touch.sealed_welcome_code,
        added_at=stamp(touch.added_at),
        arrived_at=stamp(touch.arrived_at),
        agent_id=touch.agent_id,
    )


def _friend_added(touch: Touch, userid: str) -> StaffAlerted:
    """Of low importance: WeCom itself tells the employee."""
    return StaffAlerted(
        alert_id=alert_id(touch.corp_id, touch.touch_id, "friend_added", userid=userid),
        corp_id=touch.corp_id,
        userid=userid,
        cause=f"friend_added/{touch.touch_id}",
        contact_id=touch.contact_id,
        importance=Importance.IMPORTANCE_LOW,
        next_step=NextStep.NEXT_STEP_GREET,
        at=stamp(touch.added_at),
        arrived_at=stamp(touch.arrived_at),
        friend_added=StaffAlerted.FriendAdded(channel_id=touch.channel_id, returning=touch.kind == RETURNING),
    )
