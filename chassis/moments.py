"""Time on the wire and in the code: Timestamp there, aware datetime here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp


def stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    whole = moment.replace(microsecond=0)
    return Timestamp(seconds=int(whole.timestamp()), nanos=moment.microsecond * 1000)


def as_of(request: Any) -> datetime | None:
    """The moment a request for figures asks about; None for now."""
    return request.as_of.ToDatetime(UTC) if request.HasField("as_of") else None
