"""An explanation says of every candidate why, and chooses as the rule does."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from commerce.domain.attribution import Span, Touch, attribute
from commerce.domain.explanation import Verdict, adds, newest, relations
from tests.unit.commerce.test_attribution import WINDOW, at, span, touch

seconds = st.integers(0, 9)
spans = st.lists(
    st.tuples(st.sampled_from("abc"), seconds, st.one_of(st.none(), seconds), st.sampled_from("xy")).map(
        lambda one: Span(one[0], one[3], at(one[1]), None if one[2] is None else at(one[1] + one[2]))
    ),
    unique=True,
)
touches = st.lists(
    st.tuples(st.text("tu", min_size=1), seconds, st.booleans(), st.sampled_from([0, 89, 90, 91])).map(
        lambda one: Touch(one[0], one[0], at(one[1]) - timedelta(days=one[3]), one[2])
    ),
    unique_by=lambda one: one.touch_id,
)


@given(spans, touches, seconds)
def test_the_chosen_are_the_rules(own: list[Span], came: list[Touch], moment: int) -> None:
    rule = attribute(at(moment), None, own, came, WINDOW)
    employees = [one.span for one in relations(at(moment), own) if one.verdict is Verdict.CHOSEN]
    channels = [one.touch for one in adds(at(moment), came, WINDOW) if one.verdict is Verdict.CHOSEN]
    assert [(one.userid, one.contact_id) for one in employees] == (
        [(rule.userid, rule.contact_id)] if rule.userid else []
    )
    assert [one.channel_id for one in channels] == ([rule.channel_id] if rule.channel_id else [])


def test_every_relation_has_its_reason() -> None:
    own = [span("late", 9), span("last", 5), span("first", 1), span("gone", 2, 4)]
    assert [(one.span.userid, one.verdict) for one in relations(at(6), own)] == [
        ("late", Verdict.LATER),
        ("last", Verdict.CHOSEN),
        ("gone", Verdict.ENDED),
        ("first", Verdict.OLDER),
    ]


def test_every_add_has_its_reason() -> None:
    came = [
        touch("late", at(9)),
        touch("last", at(5)),
        touch("again", at(5), confirmation=True),
        touch("first", at(1)),
        touch("old", at(0) - timedelta(days=100)),
    ]
    assert [(one.touch.touch_id, one.verdict) for one in adds(at(6), came, WINDOW)] == [
        ("late", Verdict.LATER),
        ("last", Verdict.CHOSEN),
        ("first", Verdict.OLDER),
        ("old", Verdict.TOO_OLD),
    ]


def test_the_chosen_one_is_among_the_newest() -> None:
    own = [span("chosen", 0), *(span(f"late {n}", 5 + n) for n in range(9))]
    found = newest(relations(at(3), own), 4)
    assert [one.span.userid for one in found] == ["late 8", "late 7", "late 6", "chosen"]
