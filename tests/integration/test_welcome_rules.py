"""Welcome rules over their RPCs: changed in place, by one who saw what they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bihuan.engagement.v1 import welcome_service_pb2 as pb

from chassis.errors import AlreadyExists, Conflict, Invalid, NotFound
from chassis.idempotency import IdempotentRequests
from chassis.kernel import caller
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from engagement.rpc.welcomes import WelcomeServicer
from tests import facts as f
from tests.conftest import CORP, Room

Rooms = Callable[..., Any]
LINK = pb.WelcomeLink(title="商城", url="https://shop.example.com")


def servicer(room: Room, sealer: Sealer, identifiers: Identifiers) -> WelcomeServicer:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})
    return WelcomeServicer(room.outbox, IdempotentRequests(room.outbox, sealer, identifiers), sealer)


async def created(welcomes: WelcomeServicer, **fields: Any) -> pb.WelcomeRule:
    answer = await welcomes.CreateWelcomeRule(pb.CreateWelcomeRuleRequest(**fields), None)
    return answer.welcome_rule


async def changed(welcomes: WelcomeServicer, rule_id: str, **fields: Any) -> pb.WelcomeRule:
    answer = await welcomes.UpdateWelcomeRule(pb.UpdateWelcomeRuleRequest(welcome_rule_id=rule_id, **fields), None)
    return answer.welcome_rule


async def test_only_what_is_sent_is_changed(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        rule = await created(welcomes, text="一", link=LINK, channel_id=f.uid("channel", 1))
        after = await changed(welcomes, rule.welcome_rule_id, text="二")
        assert (after.text, after.link, after.channel_id) == ("二", LINK, rule.channel_id)
        after = await changed(welcomes, rule.welcome_rule_id, without_link=True, channel_id="")
        assert (after.text, after.HasField("link"), after.channel_id) == ("二", False, "")
        assert after.revision == rule.revision + 2
        listed = await welcomes.ListWelcomeRules(pb.ListWelcomeRulesRequest(), None)
        assert list(listed.welcome_rules) == [after]


async def test_a_change_of_what_was_changed_meanwhile_is_refused(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        rule = await created(welcomes, text="一")
        await changed(welcomes, rule.welcome_rule_id, text="二", revision=rule.revision)
        with pytest.raises(Conflict):
            await changed(welcomes, rule.welcome_rule_id, text="三", revision=rule.revision)
        await changed(welcomes, rule.welcome_rule_id, text="四")


async def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        one, other = await created(welcomes, text="一"), await created(welcomes, text="二", channel_id=f.uid("c"))
        for error, field, rule_id, fields in (
            (NotFound, "welcomeRuleId", f.uid("nobody"), {"text": "三"}),
            (Invalid, "welcomeRuleId", "x", {"text": "三"}),
            (Invalid, "text", one.welcome_rule_id, {"text": "{{ customer.nmae }}"}),
            (Invalid, "link.url", one.welcome_rule_id, {"link": pb.WelcomeLink(title="t", url="ftp://x")}),
            (Invalid, "withoutLink", one.welcome_rule_id, {"link": LINK, "without_link": True}),
            (Invalid, "channelId", one.welcome_rule_id, {"channel_id": "x"}),
            (Invalid, "body", one.welcome_rule_id, {}),
            (AlreadyExists, "channelId", one.welcome_rule_id, {"channel_id": other.channel_id}),
        ):
            with pytest.raises(error) as refusal:
                await changed(welcomes, rule_id, **fields)
            assert refusal.value.field == field
        listed = await welcomes.ListWelcomeRules(pb.ListWelcomeRulesRequest(), None)
        assert list(listed.welcome_rules) == [one, other]


async def test_one_rule_is_read_by_its_id(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        rule = await created(welcomes, text="一", link=LINK)
        asked = pb.GetWelcomeRuleRequest(welcome_rule_id=rule.welcome_rule_id)
        assert (await welcomes.GetWelcomeRule(asked, None)).welcome_rule == rule
        with pytest.raises(NotFound):
            await welcomes.GetWelcomeRule(pb.GetWelcomeRuleRequest(welcome_rule_id=f.uid("rule", 9)), None)


async def test_a_preview_says_what_new_friends_would_read(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    text = (
        "{% if customer.name %}{{ customer.name }}，{% endif %}您好{% if staff.name %}，我是{{ staff.name }}{% endif %}"
    )
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        said = await welcomes.PreviewWelcome(pb.PreviewWelcomeRequest(text=text, customer_name="<b>王</b>"), None)
        assert said.with_both_names == "<b>王</b>，您好，我是李导购"
        assert said.without_customer_name == "您好，我是李导购"
        assert said.without_staff_name == "<b>王</b>，您好"
        assert said.without_names == "您好"
        for fields, field in (
            ({"text": "{{ nobody.name }}"}, "text"),
            ({"text": "您好", "staff_name": "李" * 65}, "staffName"),
        ):
            with pytest.raises(Invalid) as refused:
                await welcomes.PreviewWelcome(pb.PreviewWelcomeRequest(**fields), None)
            assert refused.value.field == field
