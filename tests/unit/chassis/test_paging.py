from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chassis.errors import Invalid
from chassis.paging import SortedPage, sorted_page

FIELDS = {"name": str, "created_at": datetime, "net_paid": int}
PLACES: dict[str, object] = {"name": "袜子", "created_at": datetime(2026, 3, 1, tzinfo=UTC), "net_paid": -5}


def the_page(token: str = "", order_by: str = "", size: int = 1) -> SortedPage:
    return sorted_page(size, token, order_by, FIELDS, uuid_keys=False)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("direction", ["", " asc", " desc"])
def test_a_token_goes_on_behind_the_last_row(field: str, direction: str) -> None:
    first = the_page(order_by=field + direction)
    assert first.after is None
    token = first.next_token([(PLACES[field], "k1")])
    second = the_page(token, field + direction)
    assert second.after == (PLACES[field], "k1")
    assert second.descending == (direction == " desc")


def test_a_page_that_is_not_full_is_the_last() -> None:
    assert the_page(size=2).next_token([(PLACES["created_at"], "k1")]) == ""


def test_without_an_order_the_usual_one_holds() -> None:
    assert (the_page().order_by, the_page().descending) == ("created_at", True)


@pytest.mark.parametrize("order", ["nothing", "name sideways", "name desc desc", "; drop table", "name,net_paid"])
def test_an_unknown_order_is_refused(order: str) -> None:
    with pytest.raises(Invalid) as refused:
        the_page(order_by=order)
    assert refused.value.field == "orderBy"


def test_a_token_of_another_order_is_refused() -> None:
    token = the_page(order_by="name").next_token([("a", "k")])
    for order in ("name desc", "net_paid", ""):
        with pytest.raises(Invalid) as refused:
            the_page(token, order)
        assert refused.value.field == "pageToken"


@pytest.mark.parametrize("value", [None, True, 2**63, [], {}, "a\x00b"])
def test_a_forged_place_is_refused(value: object) -> None:
    forged = SortedPage(1, "net_paid", False, None).next_token([(value, "k")])
    with pytest.raises(Invalid):
        the_page(forged, "net_paid")
    forged = SortedPage(1, "name", False, None).next_token([(value, "k")])
    with pytest.raises(Invalid):
        the_page(forged, "name")


def test_a_key_that_is_no_uuid_is_refused_where_keys_are() -> None:
    token = the_page(order_by="name").next_token([("a", "k")])
    with pytest.raises(Invalid) as refused:
        sorted_page(1, token, "name", FIELDS)
    assert refused.value.field == "pageToken"
