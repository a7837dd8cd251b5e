"""The period that a report is asked for: whole days in the corp's zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from bihuan.common.v1.list_pb2 import Dimension

from chassis.errors import Invalid
from chassis.kernel.corps import Corp

USUAL_DAYS = 30
MOST_DAYS = 400


class ReportRequest(Protocol):
    """What the requests of all reports share."""

    first_day: str
    last_day: str
    by: Dimension.ValueType


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day to the last, both included."""

    first: date
    last: date
    zone: ZoneInfo

    def days(self) -> Iterator[date]:
        for n in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=n)

    @property
    def since(self) -> datetime:
        """The moment at which the first day begins."""
        return datetime.combine(self.first, time(), self.zone)

    @property
    def until(self) -> datetime:
        """The moment at which the day after the last begins."""
        return datetime.combine(self.last + timedelta(days=1), time(), self.zone)


def period_of(request: ReportRequest, corp: Corp, now: datetime | None = None) -> Period:
    """The days that were asked for; the last 30 until `now` where none are. Raises Invalid."""
    last = _day(request.last_day, "lastDay") or corp.day_of(now or datetime.now(UTC))
    first = _day(request.first_day, "firstDay")
    if first is None:
        first = last - timedelta(days=USUAL_DAYS - 1)
    if first > last:
        raise Invalid("PERIOD_EMPTY", field="lastDay", expected=f"{first.isoformat()} or later")
    if (last - first).days >= MOST_DAYS:
        raise Invalid("PERIOD_TOO_LONG", field="firstDay", expected=f"at most {MOST_DAYS} days")
    return Period(first, last, ZoneInfo(corp.timezone))


def dimension_of(request: ReportRequest, *offered: str) -> str:
    """DAY, STAFF, …: what the rows stand for. Raises Invalid when this report has no such rows."""
    name = Dimension.Name(request.by).removeprefix("DIMENSION_")
    if name not in offered:
        expected = ", ".join(f"DIMENSION_{one}" for one in offered)
        raise Invalid("DIMENSION_NOT_OFFERED", field="by", expected=expected)
    return name


def _day(text: str, field: str) -> date | None:
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
        if not 2000 <= day.year <= 2200 or day.isoformat() != text:
            raise ValueError
    except ValueError:
        raise Invalid("DAY_WRONG", field=field, expected="a day between 2000 and 2200 as YYYY-MM-DD") from None
    return day
