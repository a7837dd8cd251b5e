from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from bihuan.common.v1.list_pb2 import Dimension

from chassis.errors import Invalid
from chassis.kernel.corps import Corp
from chassis.kernel.periods import dimension_of, period_of

NOW = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)  # 2 March in Shanghai


@dataclass
class Asked:
    first_day: str = ""
    last_day: str = ""
    by: Dimension.ValueType = Dimension.DIMENSION_DAY


def corp(zone: str = "Asia/Shanghai") -> Corp:
    app = {"agent_id": 1, "secret": "s", "callback_token": "t", "callback_aes_key": "a" * 43}
    return Corp.model_construct(corp_id="wwcorp", name="c", timezone=zone, app=(app,))


def test_the_last_thirty_days_end_today_in_the_corps_zone() -> None:
    period = period_of(Asked(), corp(), NOW)
    assert (period.first, period.last) == (date(2026, 2, 1), date(2026, 3, 2))
    assert len(list(period.days())) == 30


def test_a_day_begins_where_the_corp_is() -> None:
    period = period_of(Asked("2026-03-29", "2026-03-29"), corp("Europe/Berlin"))
    # The day on which clocks go forward has 23 hours.
    assert period.since == datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert period.until == datetime(2026, 3, 29, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "field", "reason"),
    [
        ("2026-3-01", "", "firstDay", "DAY_WRONG"),
        ("", "20260301", "lastDay", "DAY_WRONG"),
        ("2026-02-30", "", "firstDay", "DAY_WRONG"),
        ("", "9999-01-01", "lastDay", "DAY_WRONG"),
        ("2026-03-03", "2026-03-02", "lastDay", "PERIOD_EMPTY"),
        ("2025-01-01", "2026-03-02", "firstDay", "PERIOD_TOO_LONG"),
    ],
)
def test_nonsense_is_named_by_its_field(first: str, last: str, field: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        period_of(Asked(first, last), corp(), NOW)
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_a_report_offers_only_its_own_dimensions() -> None:
    assert dimension_of(Asked(), "DAY", "STAFF") == "DAY"
    with pytest.raises(Invalid) as refused:
        dimension_of(Asked(by=Dimension.DIMENSION_MALL), "DAY", "STAFF")
    assert refused.value.expected == "DIMENSION_DAY, DIMENSION_STAFF"
