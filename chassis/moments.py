"""Time on the wire and in the code: Timestamp there, aware datetime here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    since = moment - EPOCH
    return Timestamp(seconds=since.days * 86400 + since.seconds, nanos=since.microseconds * 1000)


def moment(stamp: Timestamp) -> datetime:
    """As ToDatetime(UTC), in a third of the time. Raises ValueError or OverflowError for what is no moment."""
    if not 0 <= stamp.nanos < 1_000_000_000:
        raise ValueError(f"nanos of a timestamp: {stamp.nanos}")
    return EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def as_of(request: Any) -> datetime | None:
    """The moment a request for figures asks about; None for now."""
    return request.as_of.ToDatetime(UTC) if request.HasField("as_of") else None
