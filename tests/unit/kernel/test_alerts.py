"""Alert ids are a function of cause and recipient."""

from __future__ import annotations

from chassis.kernel.alerts import ALPHABET, alert_id


def test_an_alert_id_follows_from_cause_and_recipient() -> None:
    one = alert_id("c", "m", "o", "k", userid="u")
    assert one == alert_id("c", "m", "o", "k", userid="u")
    assert len(one) == 16
    assert set(one) <= set(ALPHABET)
    assert one != alert_id("c", "m", "o", "k", userid="v")
    assert one != alert_id("c", "m", "o", "l", userid="u")


def test_a_paid_orders_alert_id_is_the_one_of_every_release() -> None:
    """A replica of the release before states the same alert: both are one only while the ids agree."""
    stated = alert_id("ww1", "yz", "E2026", "ALERT_KIND_ORDER_PAID", userid="zhangsan")
    assert stated == "MSXVY5PENXBKKAHZ"
