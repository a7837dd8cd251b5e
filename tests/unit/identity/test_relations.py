"""A follow relation is a function of the set of its events; whom a customer left is told once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.domain.relations import (
    BY_CUSTOMER,
    BY_STAFF,
    BY_TRANSFER,
    TOLD_WITHIN,
    FollowEvent,
    Span,
    lost,
    spans_of,
)

MORNING = datetime(2026, 1, 5, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return MORNING + timedelta(seconds=seconds)


follow_events = st.lists(
    st.builds(
        FollowEvent,
        kind=st.sampled_from(["added", "deleted_by_staff", "deleted_by_customer"]),
        at=st.integers(0, 30).map(at),
        fact_id=st.uuids().map(str),
        by_transfer=st.booleans(),
        state=st.sampled_from(["", "s1", "s2"]),
        add_way=st.sampled_from([None, 1, 202]),
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


@given(follow_events, st.randoms())
def test_each_loss_is_told_once_however_its_events_arrive(events: list[FollowEvent], random: object) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    told = []
    for known in range(len(shuffled)):
        told += [span.ended_at for span in lost(spans_of(shuffled[:known]), spans_of(shuffled[: known + 1]))]
    # Each end that is told anew may lie a little before the one that was told.
    nearby = len(events) * TOLD_WITHIN
    for span in spans_of(events):
        if span.end == BY_CUSTOMER:
            assert span.ended_at is not None
            assert any(one is not None and abs(span.ended_at - one) <= nearby for one in told)


@pytest.mark.parametrize("seconds", [(10, 11), (11, 10), (12, 10)])
def test_a_loss_that_two_apps_tell_is_told_once(seconds: tuple[int, int]) -> None:
    """WeCom tells each of the corp's apps, not always in the same second, and the later one's may come first."""
    events = [FollowEvent(kind="added", at=at(0), fact_id="1")]
    told = []
    for app, second in enumerate(seconds):
        before = spans_of(events)
        events.append(FollowEvent(kind="deleted_by_customer", at=at(second), fact_id=f"d{app}"))
        told += lost(before, spans_of(events))
    assert len(told) == 1


def test_a_friend_who_comes_back_has_two_spans() -> None:
    events = [
        FollowEvent(kind="added", at=at(0), fact_id="1", state="code"),
        FollowEvent(kind="deleted_by_customer", at=at(5), fact_id="2"),
        FollowEvent(kind="added", at=at(9), fact_id="3", add_way=202),
    ]
    first, second = spans_of(events)
    assert first == Span(added_at=at(0), ended_at=at(5), end=BY_CUSTOMER, add_way=1, state="code")
    assert second == Span(added_at=at(9), add_way=202)
    assert second.by_transfer
    assert not first.by_transfer


@pytest.mark.parametrize(
    ("kind", "by_transfer", "end"),
    [
        ("deleted_by_staff", False, BY_STAFF),
        ("deleted_by_staff", True, BY_TRANSFER),
        ("deleted_by_customer", False, BY_CUSTOMER),
    ],
)
def test_an_end_says_whose_it_was(kind: str, by_transfer: bool, end: str) -> None:
    events = [
        FollowEvent(kind="added", at=at(0), fact_id="1"),
        FollowEvent(kind=kind, at=at(5), fact_id="2", by_transfer=by_transfer),
    ]
    assert [span.end for span in spans_of(events)] == [end]


def test_a_confirmation_adds_what_the_provisional_add_did_not_say() -> None:
    events = [
        FollowEvent(kind="added", at=at(0), fact_id="1"),
        FollowEvent(kind="added", at=at(2), fact_id="2", state="code", add_way=16),
    ]
    assert spans_of(events) == (Span(added_at=at(0), add_way=16, state="code"),)
