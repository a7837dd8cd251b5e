"""Who earned an order: the rule, by example."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from commerce.domain.attribution import Attribution, Span, Touch, Window, attribute, bringing, serving

SHANGHAI = ZoneInfo("Asia/Shanghai")
MORNING = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai
WINDOW = Window(days=90, zone=SHANGHAI)


def at(seconds: float) -> datetime:
    return MORNING + timedelta(seconds=seconds)


def span(userid: str, added: int, ended: int | None = None, contact_id: str = "c") -> Span:
    return Span(userid, contact_id, at(added), None if ended is None else at(ended))


def touch(touch_id: str, moment: datetime, *, confirmation: bool = False) -> Touch:
    return Touch(touch_id, f"channel of {touch_id}", moment, confirmation)


def test_who_serves_when_it_is_paid_earns_it() -> None:
    """Ordered before the add, paid after it."""
    found = attribute(at(10), at(30), [span("anna", 20)], [touch("t", at(20))], WINDOW)
    assert found == Attribution("anna", "c", "channel of t")
    assert attribute(at(10), None, [span("anna", 20)], [touch("t", at(20))], WINDOW) == Attribution()


def test_a_handed_over_customer_pays_for_the_taker() -> None:
    spans = [span("anna", 0, 15), span("bob", 15)]
    assert attribute(at(10), at(30), spans, [], WINDOW).userid == "bob"
    assert attribute(at(10), at(15), spans, [], WINDOW).userid == "bob"
    assert attribute(at(10), at(14), spans, [], WINDOW).userid == "anna"


def test_until_it_is_paid_the_order_decides_provisionally() -> None:
    assert attribute(at(10), None, [span("anna", 0, 15), span("bob", 15)], [], WINDOW).userid == "anna"


def test_a_relation_lives_from_its_add_to_before_its_end() -> None:
    assert serving([span("anna", 5, 9)], at(5)) is not None
    assert serving([span("anna", 5, 9)], at(8)) is not None
    assert serving([span("anna", 5, 9)], at(9)) is None
    assert serving([span("anna", 5, 9)], at(4)) is None


def test_the_one_added_last_serves_and_ties_break_by_name() -> None:
    earlier, later = span("anna", 1), span("bob", 2)
    assert serving([later, earlier], at(9)) is later
    tied = [span("bob", 2, contact_id="a"), span("anna", 2, contact_id="z"), span("anna", 2, contact_id="b")]
    for spans in (tied, tied[::-1]):
        assert serving(spans, at(9)) == span("anna", 2, contact_id="b")


def test_the_last_touch_brings_and_ties_break_by_id() -> None:
    touches = [touch("a", at(1)), touch("c", at(2)), touch("b", at(2)), touch("z", at(10))]
    for order in (touches, touches[::-1]):
        found = bringing(order, at(9), WINDOW)
        assert found is not None
        assert found.touch_id == "c"


def test_a_confirmation_brings_nobody() -> None:
    assert bringing([touch("a", at(1), confirmation=True)], at(9), WINDOW) is None


def test_the_window_ends_with_the_business_day() -> None:
    """Two days: a touch on the 5th earns until the 7th is over, in the corp's zone."""
    window = Window(days=2, zone=SHANGHAI)
    late_on_the_5th = datetime(2026, 1, 5, 15, 59, 59, tzinfo=UTC)
    assert window.holds(late_on_the_5th, datetime(2026, 1, 7, 15, 59, 59, tzinfo=UTC))
    assert not window.holds(late_on_the_5th, datetime(2026, 1, 7, 16, 0, 0, tzinfo=UTC))
    early_on_the_6th = late_on_the_5th + timedelta(seconds=1)
    assert window.holds(early_on_the_6th, datetime(2026, 1, 8, 15, 59, 59, tzinfo=UTC))
    assert not window.holds(early_on_the_6th, late_on_the_5th)


def test_days_are_those_of_the_zone() -> None:
    touched, paid = datetime(2026, 1, 5, 12, 0, tzinfo=UTC), datetime(2026, 1, 6, 20, 0, tzinfo=UTC)
    assert not Window(days=1, zone=SHANGHAI).holds(touched, paid)  # there it is the 7th by now
    assert Window(days=1, zone=ZoneInfo("UTC")).holds(touched, paid)
