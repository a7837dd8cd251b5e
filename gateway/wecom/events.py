"""Decrypted WeCom events become facts; what we have no message for is kept whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bihuan.wecom.v1 import facts_pb2 as wecom
from google.protobuf.message import Message

from chassis.moments import stamp
from gateway.edge import Edge

Common = dict[str, Any]
Fields = dict[str, str]


def _added(half: bool) -> Callable[[Edge, Fields, Common], Message]:
    def build(edge: Edge, event: Fields, common: Common) -> Message:
        code = event.get("WelcomeCode", "")
        return wecom.ContactAdded(
            **common,
            state=event.get("State", ""),
            sealed_welcome_code=edge.sealer.seal(common["corp_id"], code) if code else b"",
            half=half,
        )

    return build


def _deleted(edge: Edge, event: Fields, common: Common) -> Message:
    return wecom.ContactDeleted(**common, by_transfer=event.get("Source") == "DELETE_BY_TRANSFER")


CONTACT_CHANGES: dict[str, Callable[[Edge, Fields, Common], Message]] = {
    "add_external_contact": _added(half=False),
    "add_half_external_contact": _added(half=True),
    "edit_external_contact": lambda edge, event, common: wecom.ContactEdited(**common),
    "del_external_contact": _deleted,
    "del_follow_user": lambda edge, event, common: wecom.FollowerDeleted(**common),
    "transfer_fail": lambda edge, event, common: wecom.TransferFailed(**common, reason=event.get("FailReason", "")),
    "msg_audit_approved": lambda edge, event, common: wecom.ArchiveConsented(**common),
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


def read(edge: Edge, corp_id: str, event: Fields, plain: str, arrived_at: datetime) -> Message:
    """The fact an event states. One that is new to us, or lacks what its kind needs, is an UnknownEventReceived."""
    name, change = event.get("Event", ""), event.get("ChangeType", "")
    at = _moment(event.get("CreateTime")) or arrived_at
    if name == "change_contact":
        return _address_book_changed(corp_id, event, at, arrived_at)
    userid = (event.get("UserID", "")).strip().lower()
    contact = edge.identifier(corp_id, "external_userid", event.get("ExternalUserID", ""))
    build = CONTACT_CHANGES.get(change) if name == "change_external_contact" else None
    if build is None or not userid or contact is None:
        return wecom.UnknownEventReceived(
            corp_id=corp_id,
            event=name,
            change_type=change,
            sealed_plaintext=edge.sealer.seal(corp_id, plain),
            at=stamp(at),
            arrived_at=stamp(arrived_at),
        )
    common = {
        "corp_id": corp_id,
        "userid": userid,
        "contact": contact,
        "at": stamp(at),
        "arrived_at": stamp(arrived_at),
    }
    return build(edge, event, common)


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(text or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None
