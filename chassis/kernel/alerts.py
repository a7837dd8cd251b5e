"""Alerts: one cause is one alert for one recipient, whoever states it and however often."""

from __future__ import annotations

import hashlib

from bihuan.staff.v1.facts_pb2 import Importance, NextStep, StaffAlerted, StaffAlertRaised

from chassis.kernel.staff_subject import staff_suffix
from chassis.outbox import Tx

# Crockford's base32: no I, L, O, U, so that people can read an id out.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def alert_id(corp_id: str, *cause: str, userid: str) -> str:
    """16 characters, 80 bits. `cause` names what happened: ids first, then the kind; it never changes its form."""
    digest = hashlib.sha256("\x00".join((corp_id, *cause, userid)).encode()).digest()
    number = int.from_bytes(digest[:10], "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(75, -1, -5))


def publish_alert(tx: Tx, alert: StaffAlerted) -> None:
    """Under its recipient's own subject, so that one employee's history can be read back directly."""
    tx.publish(alert, corp_id=alert.corp_id, subject_suffix=staff_suffix(alert.corp_id, alert.userid))


def as_staff_alerted(raised: StaffAlertRaised) -> StaffAlerted:
    """What the release before states, payments only, in the one shape for all causes."""
    return StaffAlerted(
        alert_id=raised.alert_id,
        corp_id=raised.corp_id,
        userid=raised.userid,
        cause=f"order_paid/{raised.mall_id}/{raised.order_id}",
        contact_id=raised.contact_id,
        importance=Importance.IMPORTANCE_NORMAL,
        next_step=NextStep.NEXT_STEP_THANK,
        at=raised.at,
        arrived_at=raised.arrived_at,
        order_paid=StaffAlerted.OrderPaid(mall_id=raised.mall_id, order_id=raised.order_id, paid=raised.amount),
    )
