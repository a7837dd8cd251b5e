"""Pure rules of all services, each by what it promises."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Invalid
from engagement.domain import templates
from identity.domain.relations import FollowEvent, Span, spans_of

MORNING = datetime(2026, 1, 5, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return MORNING + timedelta(seconds=seconds)


# -- relations


follow_events = st.lists(
    st.builds(
        FollowEvent,
        st.sampled_from(["added", "deleted_by_staff", "deleted_by_customer"]),
        st.integers(0, 30).map(at),
        st.uuids().map(str),
    ),
    max_size=12,
    unique_by=lambda event: event.fact_id,
)


@given(follow_events, st.randoms())
def test_spans_do_not_depend_on_order_and_do_not_overlap(events: list[FollowEvent], random: object) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    spans = spans_of(events)
    assert spans_of(shuffled) == spans
    ends = [span.ended_at for span in spans]
    assert None not in ends[:-1]
    for earlier, later in itertools.pairwise(spans):
        assert earlier.ended_at is not None
        assert earlier.ended_at <= later.added_at


def test_a_friend_who_comes_back_has_two_spans() -> None:
    events = [
        FollowEvent("added", at(0), "1"),
        FollowEvent("deleted_by_customer", at(5), "2"),
        FollowEvent("added", at(9), "3"),
    ]
    assert spans_of(events) == (Span(at(0), at(5)), Span(at(9), None))


# -- templates


def test_a_welcome_names_both() -> None:
    text = "{{ customer.name }}您好，我是{{ staff.name }}"
    templates.check(text)
    assert templates.fill_in(text, "王芳", "李导购") == "王芳您好，我是李导购"
    assert templates.fill_in(text, None, "李导购") == "您您好，我是李导购"
    assert templates.wants_customer(text)


@pytest.mark.parametrize(
    "text", ["", "  ", "{{ customer.nmae }}", "{{ x", "{% for i in (1..100000000) %}x{% endfor %}", "长" * 1400]
)
def test_a_template_that_cannot_work_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        templates.check(text)
    assert refusal.value.field == "text"
