"""The facts identity states, built in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bihuan.common.v1.identifier_pb2 import Identifier
from bihuan.identity.v1.facts_pb2 import (
    ContactRead,
    IdentifiersAssigned,
    RelationChanged,
    RelationSpan,
    StaffPlaced,
)

from chassis.moments import stamp
from identity.domain.relations import Span


def identifiers_assigned(corp_id: str, customer_id: str, ids: Iterable[str], version: int) -> IdentifiersAssigned:
    return IdentifiersAssigned(corp_id=corp_id, customer_id=customer_id, identifier_ids=sorted(ids), version=version)


def relation_changed(
    corp_id: str, contact_id: str, userid: str, spans: Iterable[Span], version: int
) -> RelationChanged:
    return RelationChanged(
        corp_id=corp_id,
        contact_id=contact_id,
        userid=userid,
        spans=[RelationSpan(added_at=stamp(span.added_at), ended_at=stamp(span.ended_at)) for span in spans],
        version=version,
    )


def contact_read(corp_id: str, contact_id: str, sealed_id: bytes, sealed_name: bytes, began: datetime) -> ContactRead:
    return ContactRead(
        corp_id=corp_id,
        contact=Identifier(kind="external_userid", id=contact_id, sealed=sealed_id),
        sealed_name=sealed_name,
        version=int(began.timestamp() * 1_000_000),
    )


def staff_placed(corp_id: str, row: Mapping[str, Any]) -> StaffPlaced:
    names = ("userid", "sealed_name", "department_ids", "active", "version", "within_department_ids")
    return StaffPlaced(
        corp_id=corp_id, managed_department_ids=row["managed_department_ids"], **{name: row[name] for name in names}
    )
