"""The facts identity states, built in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bihuan.identity.v1.facts_pb2 import (
    IdentifiersAssigned,
    RelationChanged,
    RelationEnd,
    RelationSpan,
    StaffPlaced,
    StaffRenamed,
)
from bihuan.staff.v1.facts_pb2 import Importance, NextStep, StaffAlerted

from chassis.kernel.alerts import alert_id
from chassis.moments import stamp
from identity.domain.relations import BY_CUSTOMER, BY_STAFF, BY_TRANSFER, Span

ENDS = {
    None: RelationEnd.RELATION_END_UNSPECIFIED,
    BY_STAFF: RelationEnd.RELATION_END_BY_STAFF,
    BY_CUSTOMER: RelationEnd.RELATION_END_BY_CUSTOMER,
    BY_TRANSFER: RelationEnd.RELATION_END_BY_TRANSFER,
}


def identifiers_assigned(corp_id: str, customer_id: str, ids: Iterable[str], version: int) -> IdentifiersAssigned:
    return IdentifiersAssigned(corp_id=corp_id, customer_id=customer_id, identifier_ids=sorted(ids), version=version)


def relation_changed(
    corp_id: str, contact_id: str, userid: str, spans: Iterable[Span], version: int
) -> RelationChanged:
    """Without a channel: who needs it joins acquisition's CustomerAcquired."""
    return RelationChanged(
        corp_id=corp_id,
        contact_id=contact_id,
        userid=userid,
        spans=[
            RelationSpan(
                added_at=stamp(span.added_at),
                ended_at=stamp(span.ended_at),
                end=ENDS[span.end],
                add_way=span.add_way,
                state=span.state,
                by_transfer=span.by_transfer,
            )
            for span in spans
        ],
        version=version,
    )


def friend_lost(corp_id: str, contact_id: str, userid: str, span: Span, arrived_at: datetime) -> StaffAlerted:
    assert span.ended_at is not None
    ended = str(int(span.ended_at.timestamp()))
    return StaffAlerted(
        alert_id=alert_id(corp_id, contact_id, ended, "friend_lost", userid=userid),
        corp_id=corp_id,
        userid=userid,
        cause=f"friend_lost/{contact_id}/{ended}",
        contact_id=contact_id,
        importance=Importance.IMPORTANCE_NORMAL,
        next_step=NextStep.NEXT_STEP_ASK_WHY,
        at=stamp(span.ended_at),
        arrived_at=stamp(arrived_at),
        friend_lost=StaffAlerted.FriendLost(added_at=stamp(span.added_at)),
    )


def staff_renamed(corp_id: str, userid: str, former_userid: str, at: datetime) -> StaffRenamed:
    return StaffRenamed(corp_id=corp_id, userid=userid, former_userid=former_userid, at=stamp(at))


def staff_placed(corp_id: str, row: Mapping[str, Any]) -> StaffPlaced:
    names = ("userid", "sealed_name", "department_ids", "active", "version", "within_department_ids")
    return StaffPlaced(
        corp_id=corp_id, managed_department_ids=row["managed_department_ids"], **{name: row[name] for name in names}
    )
