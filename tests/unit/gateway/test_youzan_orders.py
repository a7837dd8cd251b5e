"""What Youzan says becomes a fact: everything we use, nothing that names somebody else, nothing that is too much."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from bihuan.mall.v1 import facts_pb2 as pb

from chassis.errors import Invalid
from chassis.kernel.corps import Mall
from chassis.kernel.identifiers import Identifiers
from gateway.edge import Edge
from gateway.mall import youzan
from gateway.mall.archive import _without_seals
from gateway.mall.reading import UNREAD, Read, open_message, read
from tests.conftest import CORP

NOW = datetime(2026, 10, 1, 5, 0, tzinfo=UTC)
ORDER: dict[str, Any] = {
    "order_info": {
        "tid": "E20261001120000000000001", "status": "TRADE_PAID", "created": "2026-10-01 12:00:00",
        "pay_time": "2026-10-01 12:00:21", "update_time": "2026-10-01 12:00:21", "order_tags": {"is_virtual": False},
    },
    "pay_info": {"total_fee": "129.00", "post_fee": "6.00", "payment": "119.00"},
    "orders": [
        {
            "oid": "2800000000000000001", "item_id": 500100, "sku_id": 600200, "outer_item_id": "SPU-1",
            "outer_sku_id": "SKU-1", "title": "面霜 50g", "num": 2, "price": "61.50", "total_fee": "123.00",
            "payment": "113.00",
        },
        {"oid": "2800000000000000002", "title": "赠品", "num": 1, "payment": "0.00"},
    ],
    "buyer_info": {"yz_open_id": "demoYzOpenId0001", "buyer_phone": "$enc$abc", "outer_user_id": "oDEMO_openid_0001"},
    "address_info": {
        "receiver_name": "$enc$...", "receiver_tel": "13912345678", "delivery_province": "浙江省",
        "delivery_city": "杭州市", "delivery_district": "西湖区",
    },
    "source_info": {"source": {"platform": "wx", "wx_entrance": "direct_buy"}, "is_offline_order": False},
}  # fmt: skip


def body(kind: str = "trade_TradePaid", msg: Any = None, as_object: Any = None, **changes: Any) -> bytes:
    """A push whose message is URL-encoded text; or, of the newer families, an object."""
    content = quote(json.dumps(msg if msg is not None else {"full_order_info": ORDER}))
    envelope = {"kdt_id": 160001, "type": kind, "msg_id": "m1", "version": 7, "sendCount": 0, "test": False}
    return json.dumps({**envelope, "msg": content if as_object is None else as_object, **changes}).encode()


def order(**parts: Any) -> bytes:
    """A paid order in which some of the parts are others."""
    return body(msg={"full_order_info": {**deepcopy(ORDER), **parts}})


def line(**changes: Any) -> dict[str, Any]:
    return {"oid": "1", "num": 1, "payment": "1.00", **changes}


def known(edge: Edge, shop: Mall, raw: bytes) -> Read:
    found = read(youzan, edge, CORP, shop, raw, NOW)
    assert found is not None
    return found


def paid(edge: Edge, shop: Mall, raw: bytes) -> pb.OrderPaid:
    fact = known(edge, shop, raw).fact
    assert isinstance(fact, pb.OrderPaid)
    return fact


def test_an_order_is_read_whole(edge: Edge, shop: Mall) -> None:
    fact = paid(edge, shop, body())
    assert (fact.order.order_id, fact.order.version, fact.paid.amount) == ("E20261001120000000000001", 7, 11900)
    assert fact.paid_at.ToDatetime(UTC) == datetime(2026, 10, 1, 4, 0, 21, tzinfo=UTC)
    first, gift = fact.detail.lines
    numbers = (first.line_id, first.product_id, first.sku_id, first.outer_product_id, first.outer_sku_id)
    assert numbers == ("2800000000000000001", "500100", "600200", "SPU-1", "SKU-1")
    assert (first.quantity, first.price.amount, first.paid.amount, first.discount.amount) == (2, 6150, 11300, 1000)
    assert not gift.HasField("price")
    assert not gift.HasField("discount")
    region = fact.detail.region
    assert (region.province, region.city, region.county) == ("浙江省", "杭州市", "西湖区")
    assert (fact.detail.source, fact.detail.channel) == ("direct_buy", "wx")


def test_only_the_buyers_own_names_are_read_each_in_its_scope(edge: Edge, shop: Mall, identifiers: Identifiers) -> None:
    """Not the receiver's phone, who may be anybody; not ciphertext."""
    names = paid(edge, shop, body()).detail.buyer
    assert [(name.kind, name.scope) for name in names] == [("yz_open_id", "outlet"), ("openid", "wx0123")]
    assert names[0].id == identifiers.id_of(CORP, "yz_open_id", "demoYzOpenId0001", "outlet")
    assert names[0].id != identifiers.id_of(CORP, "yz_open_id", "demoYzOpenId0001")
    clear = {"yz_open_id": "a1", "buyer_phone": "13912345678", "outer_user_id": "taobao-77"}
    names = paid(edge, shop, order(buyer_info=clear)).detail.buyer
    assert [(name.kind, name.scope) for name in names] == [("yz_open_id", "outlet"), ("phone", "")]
    assert paid(edge, shop, order(buyer_info={})).detail.buyer == [], "a guest"


def test_camel_case_is_the_same_order(edge: Edge, shop: Mall) -> None:
    def camel(value: Any) -> Any:
        if isinstance(value, list):
            return [camel(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            head + "".join(part.capitalize() for part in rest): camel(inner)
            for name, inner in value.items()
            for head, *rest in [name.split("_")]
        }

    told = [paid(edge, shop, raw) for raw in (body(), body(msg=camel({"full_order_info": ORDER})))]
    for fact in told:
        fact.order.sealed_message = b""
        for name in fact.detail.buyer:
            name.sealed = b""
    assert told[0] == told[1]


def test_an_order_awaiting_shipment_is_paid(edge: Edge, shop: Mall) -> None:
    assert isinstance(known(edge, shop, body("trade_TradeBuyerPay")).fact, pb.OrderPaid)


@pytest.mark.parametrize("kind", ["trade_refund_RefundSuccess", "trade_refund_SysRefund", "youzan_trade_RefundSuccess"])
def test_a_refund_names_its_line(edge: Edge, shop: Mall, kind: str) -> None:
    """In the old family's form and in the new one's, whose message is an object."""
    msg = {"tid": "E1", "oid": 28, "refund_id": "R1", "refunded_fee": "5.00", "update_time": "2026-10-02 12:00:00"}
    for raw in (body(kind, msg), body(kind, as_object=msg)):
        fact = known(edge, shop, raw).fact
        assert isinstance(fact, pb.RefundSucceeded)
        assert (fact.refund_id, fact.amount.amount) == ("R1", 500)
        assert [(one.line_id, one.amount.amount, one.quantity) for one in fact.lines] == [("28", 500, 0)]
    whole = known(edge, shop, body(kind, {**msg, "oid": None})).fact
    assert isinstance(whole, pb.RefundSucceeded)
    assert not whole.lines


TOO_MUCH = {
    "a thousand lines": order(orders=[line(oid=str(n)) for n in range(1000)]),
    "an order number": order(order_info={**ORDER["order_info"], "tid": "E" * 65}),
    "a line's number": order(orders=[line(oid="1" * 65)]),
    "a product": order(orders=[line(item_id="1" * 65)]),
    "a sku": order(orders=[line(sku_id="1" * 65)]),
    "an outer number": order(orders=[line(outer_sku_id="x" * 129)]),
    "a quantity": order(orders=[line(num=2**31)]),
    "a version": body(version=2**53),
    "a time": order(order_info={**ORDER["order_info"], "pay_time": "9999-12-31 23:59:59"}),
    "an early time": order(order_info={**ORDER["order_info"], "created": "0001-01-01 00:00:00"}),
    "a refund": body("trade_refund_RefundSuccess", {"tid": "E1", "refund_id": "R" * 65, "refunded_fee": "1.00"}
                     | {"update_time": "2026-10-02 12:00:00"}),
}  # fmt: skip


@pytest.mark.parametrize("what", TOO_MUCH)
def test_too_much_is_kept_and_changes_nothing(edge: Edge, shop: Mall, what: str) -> None:
    raw = TOO_MUCH[what]
    fact = known(edge, shop, raw).fact
    assert isinstance(fact, pb.MessageUnread)
    assert open_message(edge.sealer, CORP, fact.sealed_message, youzan.MOST_BYTES) == raw


def test_what_is_only_shown_is_cut(edge: Edge, shop: Mall) -> None:
    long = "长" * 5000
    fact = paid(
        edge,
        shop,
        order(
            orders=[line(title=long)],
            address_info=dict.fromkeys(("delivery_province", "delivery_city", "delivery_district"), long),
            source_info={"source": {"platform": long, "wx_entrance": long}},
        ),
    )
    assert len(fact.SerializeToString()) - len(fact.order.sealed_message) < 3000


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (order(orders={"oid": "1"}), "orders"),
        (order(orders=[line(price="1.005")]), "orders[0].price"),
        (order(orders=[line(num=-1)]), "orders[0].num"),
        (order(orders=[line(sku_id="a\nb")]), "orders[0].sku_id"),
        (order(buyer_info=["a1"]), "buyer_info"),
        (body(msg={"full_order_info": 1}), "msg.full_order_info"),
        (body(version=None), "version"),
        (body(kind="", msg={}), "type"),
    ],
)
def test_what_is_no_message_is_refused_by_name(edge: Edge, shop: Mall, raw: bytes, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(youzan, edge, CORP, shop, raw, NOW)
    assert type(refusal.value) is Invalid
    assert refusal.value.field == field


@pytest.mark.parametrize("kind", ["POINTS", "youzan_trade_RefundCreated", "next_years_kind", "k" * 5000])
def test_a_kind_without_reader_is_kept_whole(edge: Edge, shop: Mall, kind: str) -> None:
    """Also when what it carries is no JSON. Kinds that nobody knows make no label of their own."""
    raw = body(kind, as_object="%00 no JSON")
    found = known(edge, shop, raw)
    assert isinstance(found.fact, pb.MessageUnread)
    assert found.fact.kind == kind[:100]
    assert open_message(edge.sealer, CORP, found.fact.sealed_message, youzan.MOST_BYTES) == raw
    labels = [sample.labels for metric in UNREAD.collect() for sample in metric.samples]
    assert {label["kind"] for label in labels if label["platform"] == "youzan"} <= youzan.KINDS | {"other"}


def test_a_trial_message_states_nothing(edge: Edge, shop: Mall) -> None:
    assert read(youzan, edge, CORP, shop, body(test=True), NOW) is None


def test_a_resend_without_a_message_id_is_the_same_message(edge: Edge, shop: Mall) -> None:
    first, again, other = (
        known(edge, shop, body(msg_id=None, id="E1", sendCount=n, version=v)).content
        for n, v in ((0, 7), (1, 7), (0, 8))
    )
    assert first == again
    assert first != other


# What each reading says of the sample, as a hash. A line is added when READING is raised, and none is changed.
READINGS = {1: "764851c4f525a3f2"}


def test_a_change_of_what_is_read_raises_the_reading(edge: Edge, shop: Mall) -> None:
    """Else `gateway.reread` would take the new reading for the old one."""
    refund = {"tid": "E1", "oid": 28, "refund_id": "R1", "refunded_fee": "5.00", "update_time": "2026-10-02 12:00:00"}
    step = {"tid": "E1", "update_time": "2026-10-02 12:00:00", "close_reason": "sold out"}
    said = hashlib.sha256()
    for kind in sorted(youzan.KINDS):
        whole = "Trade" in kind and kind.endswith(("Create", "Paid", "BuyerPay"))
        fact = known(edge, shop, body(kind, None if whole else {**step, **refund})).fact
        said.update(repr(_without_seals(fact)).encode())
    assert said.hexdigest()[:16] == READINGS[youzan.READING], "raise READING, and add its line"
