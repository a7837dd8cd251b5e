"""WeCom's events: what breaks a bound is kept whole, and is nobody's add."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from bihuan.wecom.v1 import facts_pb2 as wecom

from gateway.edge import Edge
from gateway.wecom.events import MOST, read
from tests.conftest import CORP

NOW = datetime(2026, 10, 1, tzinfo=UTC)
ADD = {
    "Event": "change_external_contact",
    "ChangeType": "add_external_contact",
    "CreateTime": "1767225600",
    "UserID": "Guide_01",
    "ExternalUserID": "wm0000000000000000000000000001",
    "State": "ch_1",
    "WelcomeCode": "code",
}


def test_an_add_carries_the_app_and_the_code_that_only_it_may_use(edge: Edge) -> None:
    added = read(edge, CORP, ADD, "<xml/>", NOW, 7)
    assert isinstance(added, wecom.ContactAdded)
    assert (added.userid, added.state, added.agent_id) == ("guide_01", "ch_1", 7)
    assert edge.sealer.open(CORP, added.sealed_welcome_code) == "code"
    consented = read(edge, CORP, {**ADD, "ChangeType": "msg_audit_approved"}, "<xml/>", NOW, 8)
    assert isinstance(consented, wecom.ArchiveConsented)
    assert edge.sealer.open(CORP, consented.sealed_welcome_code) == "code"
    assert consented.agent_id == 8
    silent = read(edge, CORP, {**ADD, "ChangeType": "msg_audit_approved", "WelcomeCode": ""}, "<xml/>", NOW, 8)
    assert isinstance(silent, wecom.ArchiveConsented)
    assert silent.sealed_welcome_code == b""


@pytest.mark.parametrize("field", MOST)
@pytest.mark.parametrize("kind", ["change_external_contact", "change_contact"])
def test_a_field_of_6000_characters_is_kept_unread(edge: Edge, kind: str, field: str) -> None:
    event = {**ADD, "Event": kind, field: "用" * 6000}
    kept = read(edge, CORP, event, "<xml>whole</xml>", NOW)
    assert isinstance(kept, wecom.UnknownEventReceived)
    assert len(kept.event) <= MOST["Event"]
    assert len(kept.change_type) <= MOST["ChangeType"]
    assert edge.sealer.open(CORP, kept.sealed_plaintext) == "<xml>whole</xml>"


@pytest.mark.parametrize("moment", ["253402300799", "-62135596800", "1" * 30, "soon", ""])
def test_a_time_that_cannot_be_reckoned_with_is_the_arrival(edge: Edge, moment: str) -> None:
    added = read(edge, CORP, {**ADD, "CreateTime": moment}, "<xml/>", NOW)
    assert isinstance(added, wecom.ContactAdded)
    assert added.at.ToDatetime(UTC) - NOW < timedelta(seconds=1)
