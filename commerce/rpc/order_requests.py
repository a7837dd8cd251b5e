"""What a list of orders is asked for, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bihuan.commerce.v1 import order_service_pb2 as pb

from chassis import paging
from chassis.errors import Invalid
from chassis.paging import Page, SortedPage
from commerce.db.order_filters import Wanted
from commerce.db.order_pages import Place
from commerce.db.orders import Key

STATUS_HEAD = "ORDER_STATUS_"
MALL_ID = re.compile(r"[a-z0-9-]{1,40}")
MOST_CHARACTERS = 128
MOMENTS: dict[str, type] = {"created_at": datetime, "paid_at": datetime}
PAYMENTS: dict[str, type] = {"paid_at": datetime}


def wanted(request: pb.ListOrdersRequest) -> Wanted:
    """Raises Invalid for a filter that is nonsense."""
    since, until = _moment(request, "paid_since"), _moment(request, "paid_until")
    if since is not None and until is not None and until <= since:
        raise Invalid("PERIOD_EMPTY", field="paidUntil", expected="a time after paidSince")
    return Wanted(
        customer_id=paging.uuid(request.customer_id, "customerId") if request.customer_id else None,
        mall_id=mall_id_of(request.mall_id),
        status=_status(request.status),
        userid=paging.text(request.userid, "userid", most=MOST_CHARACTERS, least=0).lower(),
        channel_id=paging.uuid(request.channel_id, "channelId") if request.channel_id else None,
        paid_since=since,
        paid_until=until,
        order_id=paging.text(request.order_id, "orderId", most=MOST_CHARACTERS, least=0),
    )


def mall_id_of(text: str) -> str:
    """The empty text: any mall. Raises Invalid."""
    if text and not MALL_ID.fullmatch(text):
        raise Invalid("MALL_ID_MALFORMED", field="mallId", expected="the id of a mall")
    return text


def page(request: pb.ListOrdersRequest, filters: Wanted) -> tuple[SortedPage, Place | None]:
    """The page, and the place of the last order before it. Raises Invalid for an order that the list does not have.

    A period of payments is read by payment only: what was paid in it may have been ordered at any time.
    """
    in_period = filters.paid_since is not None or filters.paid_until is not None
    allowed, usual = (PAYMENTS, "paid_at desc") if in_period else (MOMENTS, "created_at desc")
    plain = paging.page(request.page_size, request.page_token)
    asked = paging.sorted_page(request.page_size, "", request.order_by, allowed, usual, uuid_keys=False)
    if not plain.after:
        return asked, None
    if _is_usual(asked):
        return asked, paging.position(plain.after)
    asked = paging.sorted_page(request.page_size, request.page_token, request.order_by, allowed, usual, uuid_keys=False)
    assert asked.after is not None, "it was read from the token"
    at, key = asked.after
    mall_id, slash, order_id = key.partition("/")
    if not slash:
        raise Invalid("PAGE_TOKEN_WRONG", field="pageToken", expected=paging.TOKEN_EXPECTED)
    return asked, (at, mall_id, order_id)


def next_token(asked: SortedPage, found: Sequence[tuple[Key, datetime]]) -> str:
    """Token of the page after one with these orders and the moments that they are ordered by."""
    if _is_usual(asked):
        return Page(asked.size, "").next_token(
            [json.dumps([at.isoformat(), mall_id, order_id]) for (_, mall_id, order_id), at in found]
        )
    return asked.next_token([(at, f"{mall_id}/{order_id}") for (_, mall_id, order_id), at in found])


def _is_usual(asked: SortedPage) -> bool:
    """Newest first is the only order that the release before knows; its tokens stay those of either release."""
    return asked.order_by == "created_at" and asked.descending


def _status(status: int) -> str:
    if not status:
        return ""
    if status not in pb.OrderStatus.values():
        expected = ", ".join(name for name in pb.OrderStatus.keys()[1:])
        raise Invalid("ORDER_STATUS_UNKNOWN", field="status", expected=f"one of {expected}")
    return pb.OrderStatus.Name(status).removeprefix(STATUS_HEAD)  # type: ignore[arg-type]  # it is one of its values


def _moment(request: Any, field: str) -> datetime | None:
    return getattr(request, field).ToDatetime(UTC) if request.HasField(field) else None
