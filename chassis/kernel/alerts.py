"""Alerts: one cause is one alert for one recipient, whoever states it and however often."""

from __future__ import annotations

import hashlib

from bihuan.staff.v1.facts_pb2 import StaffAlerted

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
