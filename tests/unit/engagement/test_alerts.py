"""What alerts say, and how many fit into a message."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.domain.alerts import (
    KINDS,
    MOST_BYTES,
    Alert,
    Details,
    FriendAdded,
    FriendLost,
    OrderPaid,
    OrderRefunded,
    compose,
    from_json,
    sentence,
    to_json,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
PAID = OrderPaid(mall_id="yz", order_id="E1", paid_amount=1205, currency="CNY")
EXAMPLES: list[tuple[Details, str, str]] = [
    (PAID, "THANK", "王芳 付款 ¥12.05，订单 E1，可致谢"),
    (OrderPaid("yz", "E1", 7, "USD"), "UNSPECIFIED", "王芳 付款 0.07 USD，订单 E1"),
    (OrderRefunded("yz", "E1", "R1", 300, "CNY"), "ASK_WHY", "王芳 退款 ¥3.00，订单 E1，可问问原因"),
    (FriendAdded(channel_id="c", returning=False), "GREET", "王芳 添加您为好友，可打个招呼"),
    (FriendAdded(channel_id="c", returning=True), "GREET", "王芳 再次添加您为好友，可打个招呼"),
    (FriendLost(datetime(2026, 1, 4, 17, tzinfo=UTC)), "LET_REST", "王芳 不再是您的好友（2026-01-05 添加），先不打扰"),
    (FriendLost(None), "LET_REST", "王芳 不再是您的好友，先不打扰"),
]
kinds_of_details = st.one_of(
    st.builds(OrderPaid, st.just("yz"), st.integers(0, 10**20).map(str), st.integers(0, 10**9), st.just("CNY")),
    st.builds(OrderRefunded, st.just("yz"), st.just("E1"), st.just("R1"), st.integers(0, 10**9), st.just("CNY")),
    st.builds(FriendAdded, st.uuids().map(str), st.booleans()),
    st.builds(FriendLost, st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))),
)


@pytest.mark.parametrize(("details", "next_step", "said"), EXAMPLES)
def test_an_alert_says_who_did_what(details: Details, next_step: str, said: str) -> None:
    assert sentence(Alert("0" * 16, "王芳", details, next_step), SHANGHAI) == said


@pytest.mark.parametrize(("channel", "through"), [("门店 海报", "通过「门店 海报」"), (None, ""), (" ", "")])
def test_a_friend_is_told_with_the_channel_if_its_name_is_known(channel: str | None, through: str) -> None:
    added = Alert("0" * 16, "王芳", FriendAdded(channel_id="c", returning=True), "GREET", channel)
    assert sentence(added, SHANGHAI) == f"王芳 {through}再次添加您为好友，可打个招呼"


@pytest.mark.parametrize("name", [None, "", " \n "])
def test_a_customer_without_a_name_is_called_one(name: str | None) -> None:
    assert sentence(Alert("0" * 16, name, PAID, ""), SHANGHAI) == "客户 付款 ¥12.05，订单 E1"


@given(kinds_of_details)
def test_details_are_stored_and_read_back(details: Details) -> None:
    assert from_json(KINDS[type(details)], to_json(details)) == details


SITE = "https://bihuan.example"
CARDS = re.compile(rf'<a href="{SITE}/console/phone/contacts/([^"]+)">查看客户</a> · (\d{{16}})$', re.MULTILINE)
WORKBENCH = f'<a href="{SITE}/console/phone">打开工作台</a>'


@given(st.lists(kinds_of_details, min_size=1, max_size=60), st.text(max_size=40), st.sampled_from(["", SITE]))
def test_a_message_holds_whole_alerts_and_fits(told: list[Details], name: str, site: str) -> None:
    alerts = [
        Alert(f"{number:016d}", name, details, "THANK", contact_id=f"c{number}") for number, details in enumerate(told)
    ]
    content, inside = compose(alerts, SHANGHAI, site)
    assert 1 <= inside <= len(alerts)
    assert inside == 1 or len(content.encode()) <= MOST_BYTES
    # As a reader of messages finds them: each at the end of a line of its own.
    assert re.findall(r"· (\d{16})$", content, re.MULTILINE) == [alert.alert_id for alert in alerts[:inside]]
    # Every alert leads to its customer, or the message to the workbench.
    cards = CARDS.findall(content)
    assert cards == [(f"c{number}", f"{number:016d}") for number in range(len(cards))]
    assert len(cards) in (0, inside)
    assert bool(site) == (bool(cards) or WORKBENCH in content)
    assert ("<a" in content) == bool(site), "no link that is not ours"


def test_links_take_no_alerts_place() -> None:
    alerts = [Alert(f"{number:016d}", "王芳", PAID, "THANK", contact_id="c" * 40) for number in range(60)]
    few, many = compose(alerts[:3], SHANGHAI, SITE), compose(alerts, SHANGHAI, SITE)
    assert len(CARDS.findall(few[0])) == 3
    assert WORKBENCH not in few[0]
    assert CARDS.findall(many[0]) == []
    assert WORKBENCH in many[0]
    assert compose(alerts, SHANGHAI)[1] - many[1] <= 2, "only the one link takes room"


def test_a_customers_name_makes_no_link() -> None:
    content, _ = compose([Alert("0" * 16, '<a href="https://evil.example">王芳</a>', PAID, "")], SHANGHAI, SITE)
    assert content.count("<a ") == 1
    assert "＜a href" in content
