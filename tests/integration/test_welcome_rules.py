"""Welcome rules over their RPCs: changed in place, by one who saw what they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bihuan.engagement.v1 import welcome_service_pb2 as pb

from chassis.blobs import Blobs
from chassis.errors import AlreadyExists, Conflict, Invalid, NotFound, Precondition
from chassis.files import Files
from chassis.idempotency import IdempotentRequests
from chassis.kernel import caller
from chassis.kernel.identifiers import Identifiers
from chassis.sealing import Sealer
from engagement.db import rules as rules_db
from engagement.rpc.welcomes import WelcomeServicer
from tests import facts as f
from tests.conftest import CORP, Room

Rooms = Callable[..., Any]
LINK = pb.WelcomeLink(title="商城", url="https://shop.example.com")


def servicer(room: Room, sealer: Sealer, identifiers: Identifiers) -> WelcomeServicer:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": "boss", "bihuan-role": "ADMIN"})
    files = Files(room.pool, Blobs("file:///nowhere", "engagement", sealer), sealer)
    once = IdempotentRequests(room.outbox, sealer, identifiers)
    return WelcomeServicer(room.outbox, once, sealer, files, lambda: None)


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


# -- archived


async def archived(welcomes: WelcomeServicer, rule_id: str) -> pb.WelcomeRule:
    answer = await welcomes.ArchiveWelcomeRule(pb.ArchiveWelcomeRuleRequest(welcome_rule_id=rule_id), None)
    return answer.welcome_rule


async def restored(welcomes: WelcomeServicer, rule_id: str) -> pb.WelcomeRule:
    answer = await welcomes.RestoreWelcomeRule(pb.RestoreWelcomeRuleRequest(welcome_rule_id=rule_id), None)
    return answer.welcome_rule


async def listed(welcomes: WelcomeServicer, **fields: Any) -> list[str]:
    answer = await welcomes.ListWelcomeRules(pb.ListWelcomeRulesRequest(with_total=True, **fields), None)
    assert answer.total.count == len(answer.welcome_rules)
    return [rule.text for rule in answer.welcome_rules]


async def test_an_archived_rule_applies_no_more_and_comes_back(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers
) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        rule = await created(welcomes, text="一", link=LINK, channel_id=f.uid("c"))
        gone = await archived(welcomes, rule.welcome_rule_id)
        assert await archived(welcomes, rule.welcome_rule_id) == gone
        assert (gone.text, gone.link, gone.revision) == (rule.text, rule.link, rule.revision + 1)
        assert gone.HasField("archived_at")
        # What the release before applies, and what it reads its list from.
        assert await rules_db.of_corps(room.pool, [CORP]) == {}
        assert (await listed(welcomes), await listed(welcomes, archived=True)) == ([], ["一"])
        assert await listed(welcomes, archived=True, channel_id=f.uid("other")) == []
        with pytest.raises(Precondition):
            await changed(welcomes, rule.welcome_rule_id, text="二")
        back = await restored(welcomes, rule.welcome_rule_id)
        assert await restored(welcomes, rule.welcome_rule_id) == back
        assert (back.text, back.link, back.revision, back.created_at) == ("一", LINK, 3, rule.created_at)
        assert not back.HasField("archived_at")
        assert await listed(welcomes, channel_id=f.uid("c")) == ["一"]
        assert await listed(welcomes, channel_id=f.uid("other")) == []


@pytest.mark.parametrize("channel_id", ["", f.uid("c")])
async def test_a_channel_that_has_another_rule_now_keeps_it(
    rooms: Rooms, sealer: Sealer, identifiers: Identifiers, channel_id: str
) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        rule = await created(welcomes, text="一", channel_id=channel_id)
        await archived(welcomes, rule.welcome_rule_id)
        other = await created(welcomes, text="二", channel_id=channel_id)
        with pytest.raises(AlreadyExists) as refused:
            await restored(welcomes, rule.welcome_rule_id)
        assert refused.value.field == "channelId"
        assert (await listed(welcomes), await listed(welcomes, archived=True)) == (["二"], ["一"])
        await archived(welcomes, other.welcome_rule_id)
        await restored(welcomes, rule.welcome_rule_id)
        assert (await listed(welcomes), await listed(welcomes, archived=True)) == (["一"], ["二"])


async def test_delete_archives(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        rule = await created(welcomes, text="一")
        await welcomes.DeleteWelcomeRule(pb.DeleteWelcomeRuleRequest(welcome_rule_id=rule.welcome_rule_id), None)
        assert await listed(welcomes, archived=True) == ["一"]
        for unknown in (welcomes.ArchiveWelcomeRule, welcomes.RestoreWelcomeRule, welcomes.DeleteWelcomeRule):
            with pytest.raises(NotFound):
                await unknown(pb.DeleteWelcomeRuleRequest(welcome_rule_id=f.uid("nobody")), None)  # type: ignore[arg-type]


async def test_what_changes_nothing_leaves_the_revision(rooms: Rooms, sealer: Sealer, identifiers: Identifiers) -> None:
    async with rooms("engagement") as room:
        welcomes = servicer(room, sealer, identifiers)
        rule = await created(welcomes, text="一", link=LINK)
        assert await changed(welcomes, rule.welcome_rule_id, text="一", link=LINK, channel_id="") == rule
