"""Decrypted WeCom events become facts; what we have no message for is kept whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bihuan.wecom.v1 import facts_pb2 as wecom
from google.protobuf.message import Message

from chassis.logs import log
from chassis.moments import stamp
from gateway.bounds import EARLIEST, LATEST, OutOfBounds, check_length
from gateway.edge import Edge

Common = dict[str, Any]
Fields = dict[str, str]

# Characters; WeCom documents 64 bytes for a userid and for the longest state, and real codes have 43 characters.
MOST = {
    "Event": 64,
    "ChangeType": 64,
    "UserID": 128,
    "NewUserID": 128,
    "ExternalUserID": 128,
    "State": 128,
    "WelcomeCode": 512,
    "FailReason": 64,
}


def _added(half: bool) -> Callable[[Edge, Fields, Common, int], Message]:
    def build(edge: Edge, event: Fields, common: Common, agent_id: int) -> Message:
        code = _welcome_code(edge, event, common)
        return wecom.ContactAdded(
            **common, state=event.get("State", ""), sealed_welcome_code=code, half=half, agent_id=agent_id
        )

    return build


def _consented(edge: Edge, event: Fields, common: Common, agent_id: int) -> Message:
    return wecom.ArchiveConsented(**common, sealed_welcome_code=_welcome_code(edge, event, common), agent_id=agent_id)


def _welcome_code(edge: Edge, event: Fields, common: Common) -> bytes:
    """Sealed: only the app that was given it may use it, and only once."""
    code = event.get("WelcomeCode", "")
    return edge.sealer.seal(common["corp_id"], code) if code else b""


def _deleted(edge: Edge, event: Fields, common: Common, agent_id: int) -> Message:
    return wecom.ContactDeleted(**common, by_transfer=event.get("Source") == "DELETE_BY_TRANSFER")


CONTACT_CHANGES: dict[str, Callable[[Edge, Fields, Common, int], Message]] = {
    "add_external_contact": _added(half=False),
    "add_half_external_contact": _added(half=True),
    "edit_external_contact": lambda edge, event, common, agent_id: wecom.ContactEdited(**common),
    "del_external_contact": _deleted,
    "del_follow_user": lambda edge, event, common, agent_id: wecom.FollowerDeleted(**common),
    "transfer_fail": lambda edge, event, common, agent_id: wecom.TransferFailed(
        **common, reason=event.get("FailReason", "")
    ),
    "msg_audit_approved": _consented,
}


def _address_book_changed(corp_id: str, event: Fields, at: datetime, arrived_at: datetime) -> Message:
    return wecom.AddressBookChanged(
        corp_id=corp_id,
        change_type=event.get("ChangeType", ""),
        userid=event.get("UserID", "").strip().lower(),
        new_userid=event.get("NewUserID", "").strip().lower(),
        at=stamp(at),
        arrived_at=stamp(arrived_at),
    )


def read(edge: Edge, corp_id: str, event: Fields, plain: str, arrived_at: datetime, agent_id: int = 0) -> Message:
    """The fact an event states; `agent_id`: the app that was told.

    An event that is new to us, lacks what its kind needs or breaks a bound is an UnknownEventReceived: WeCom shows our
    answers to nobody, so that a refusal would only lose it.
    """
    name, change = event.get("Event", ""), event.get("ChangeType", "")
    at = _moment(event.get("CreateTime")) or arrived_at
    try:
        for field, most in MOST.items():
            check_length(event.get(field, ""), most, field)
    except OutOfBounds as error:
        log.warning("wecom_event_kept_unread", corp_id=corp_id, field=error.field, expected=error.expected)
        return _unknown(edge, corp_id, event, plain, at, arrived_at)
    if name == "change_contact":
        return _address_book_changed(corp_id, event, at, arrived_at)
    userid = (event.get("UserID", "")).strip().lower()
    contact = edge.identifier(corp_id, "external_userid", event.get("ExternalUserID", ""))
    build = CONTACT_CHANGES.get(change) if name == "change_external_contact" else None
    if build is None or not userid or contact is None:
        return _unknown(edge, corp_id, event, plain, at, arrived_at)
    common = {
        "corp_id": corp_id,
        "userid": userid,
        "contact": contact,
        "at": stamp(at),
        "arrived_at": stamp(arrived_at),
    }
    return build(edge, event, common, agent_id)


def _unknown(
    edge: Edge, corp_id: str, event: Fields, plain: str, at: datetime, arrived_at: datetime
) -> wecom.UnknownEventReceived:
    return wecom.UnknownEventReceived(
        corp_id=corp_id,
        event=event.get("Event", "")[: MOST["Event"]],
        change_type=event.get("ChangeType", "")[: MOST["ChangeType"]],
        sealed_plaintext=edge.sealer.seal(corp_id, plain),
        at=stamp(at),
        arrived_at=stamp(arrived_at),
    )


def _moment(text: str | None) -> datetime | None:
    """None for what is no time, or none that can be reckoned with."""
    try:
        moment = datetime.fromtimestamp(int(text or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if EARLIEST <= moment < LATEST else None
