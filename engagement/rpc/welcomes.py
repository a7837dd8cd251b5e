from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bihuan.engagement.v1 import welcome_service_pb2 as pb
from bihuan.engagement.v1 import welcome_service_pb2_grpc as grpc_pb
from google.protobuf.duration_pb2 import Duration
from uuid_utils import uuid7

from chassis import paging
from chassis.errors import AlreadyExists, Invalid
from chassis.files import Files
from chassis.idempotency import IdempotentRequests
from chassis.kernel.caller import caller
from chassis.kernel.changes import publish_changed
from chassis.kernel.totals import LIMIT, total
from chassis.moments import as_of
from chassis.outbox import Outbox, Tx
from chassis.pool import Row
from chassis.sealing import Sealer
from engagement.app import rules
from engagement.db import rule_lists, welcomes
from engagement.db import rules as db
from engagement.domain import templates
from engagement.rpc.attachments import checked, checked_link, shown, shown_link
from engagement.rpc.lists import shown_members
from engagement.rpc.welcome_lists import WelcomeLists

# Of a sample name, characters.
MOST_NAME = 64


class WelcomeServicer(grpc_pb.WelcomeServiceServicer):
    """`wake`: has the files of rules uploaded now."""

    def __init__(
        self, outbox: Outbox, once: IdempotentRequests, sealer: Sealer, files: Files, wake: Callable[[], None]
    ) -> None:
        self._outbox, self._pool, self._once = outbox, outbox.pool, once
        self._files, self._wake = files, wake
        self._lists = WelcomeLists(outbox.pool, sealer)

    async def CreateWelcomeRule(
        self, request: pb.CreateWelcomeRuleRequest, context: Any
    ) -> pb.CreateWelcomeRuleResponse:
        templates.check(request.text)
        link = checked_link(request.link, "link") if request.HasField("link") else None
        attached = await checked(self._files, caller(), request.attachments) or None
        rules.check_count(link, attached)
        channel_id = paging.uuid(request.channel_id, "channelId") if request.channel_id else None

        async def create(tx: Tx) -> pb.CreateWelcomeRuleResponse:
            corp_id = caller().corp_id
            row = await db.insert(
                tx.connection, corp_id, str(uuid7()), channel_id, request.text, link, attached or None
            )
            if row is None:
                raise AlreadyExists("WELCOME_RULE_EXISTS", field="channelId", expected="a channel without a rule")
            publish_changed(tx, corp_id, rules.NOUN, [row["welcome_rule_id"]])
            return pb.CreateWelcomeRuleResponse(welcome_rule=_rule(row))

        answer = await self._once(request, create, pb.CreateWelcomeRuleResponse)
        self._wake()
        return answer

    async def GetWelcomeRule(self, request: pb.GetWelcomeRuleRequest, context: Any) -> pb.GetWelcomeRuleResponse:
        rule_id = paging.uuid(request.welcome_rule_id, "welcomeRuleId")
        async with self._pool.acquire() as connection:
            row = await rules.find(connection, caller().corp_id, rule_id)
        return pb.GetWelcomeRuleResponse(welcome_rule=_rule(row))

    async def PreviewWelcome(self, request: pb.PreviewWelcomeRequest, context: Any) -> pb.PreviewWelcomeResponse:
        templates.check(request.text)
        customer, staff = (
            paging.text(given or usual, field, most=MOST_NAME)
            for given, usual, field in zip(
                (request.customer_name, request.staff_name),
                templates.SAMPLES[0],
                ("customerName", "staffName"),
                strict=True,
            )
        )
        return pb.PreviewWelcomeResponse(
            with_both_names=templates.fill_in(request.text, customer, staff),
            without_customer_name=templates.fill_in(request.text, None, staff),
            without_staff_name=templates.fill_in(request.text, customer, None),
            without_names=templates.fill_in(request.text, None, None),
        )

    async def ListWelcomeRules(self, request: pb.ListWelcomeRulesRequest, context: Any) -> pb.ListWelcomeRulesResponse:
        page, corp_id = paging.uuid_page(request.page_size, request.page_token), caller().corp_id
        channel_id = paging.uuid(request.channel_id, "channelId") if request.channel_id else None
        async with self._pool.acquire() as connection:
            rows = await rule_lists.page(
                connection, corp_id, page.after, page.size, channel_id, archived=request.archived
            )
            counted = (
                await rule_lists.count(connection, corp_id, LIMIT, channel_id, archived=request.archived)
                if request.with_total
                else None
            )
        return pb.ListWelcomeRulesResponse(
            welcome_rules=[_rule(row) for row in rows],
            next_page_token=page.next_token([row["welcome_rule_id"] for row in rows]),
            total=None if counted is None else total(counted),
        )

    async def UpdateWelcomeRule(
        self, request: pb.UpdateWelcomeRuleRequest, context: Any
    ) -> pb.UpdateWelcomeRuleResponse:
        rule_id = paging.uuid(request.welcome_rule_id, "welcomeRuleId")
        changes: dict[str, Any] = {}
        if request.HasField("text"):
            templates.check(request.text)
            changes["text"] = request.text
        if request.HasField("channel_id"):
            changes["channel_id"] = paging.uuid(request.channel_id, "channelId") if request.channel_id else None
        if request.HasField("link"):
            if request.without_link:
                raise Invalid("FIELDS_CONTRADICT", field="withoutLink", expected="link or withoutLink, not both")
            changes["link"] = checked_link(request.link, "link")
        elif request.without_link:
            changes["link"] = None
        if request.attachments:
            if request.without_attachments:
                raise Invalid("FIELDS_CONTRADICT", field="withoutAttachments", expected="attachments, or none of them")
            changes["attachments"] = await checked(self._files, caller(), request.attachments)
        elif request.without_attachments:
            changes["attachments"] = None
        if not changes:
            expected = "text, channelId, link, withoutLink, attachments or withoutAttachments"
            raise Invalid("NOTHING_TO_CHANGE", field="body", expected=expected)
        async with self._outbox.transaction() as tx:
            row = await rules.update(
                tx,
                caller().corp_id,
                rule_id,
                request.revision if request.HasField("revision") else None,
                changes,
            )
        self._wake()
        return pb.UpdateWelcomeRuleResponse(welcome_rule=_rule(row))

    async def ArchiveWelcomeRule(
        self, request: pb.ArchiveWelcomeRuleRequest, context: Any
    ) -> pb.ArchiveWelcomeRuleResponse:
        rule_id = paging.uuid(request.welcome_rule_id, "welcomeRuleId")
        async with self._outbox.transaction() as tx:
            row = await rules.archive(tx, caller().corp_id, rule_id)
        return pb.ArchiveWelcomeRuleResponse(welcome_rule=_rule(row))

    async def RestoreWelcomeRule(
        self, request: pb.RestoreWelcomeRuleRequest, context: Any
    ) -> pb.RestoreWelcomeRuleResponse:
        rule_id = paging.uuid(request.welcome_rule_id, "welcomeRuleId")
        async with self._outbox.transaction() as tx:
            row = await rules.restore(tx, caller().corp_id, rule_id)
        self._wake()
        return pb.RestoreWelcomeRuleResponse(welcome_rule=_rule(row))

    async def DeleteWelcomeRule(
        self, request: pb.DeleteWelcomeRuleRequest, context: Any
    ) -> pb.DeleteWelcomeRuleResponse:
        await self.ArchiveWelcomeRule(pb.ArchiveWelcomeRuleRequest(welcome_rule_id=request.welcome_rule_id), context)
        return pb.DeleteWelcomeRuleResponse()

    async def ListWelcomes(self, request: pb.ListWelcomesRequest, context: Any) -> pb.ListWelcomesResponse:
        return await self._lists.answer(request)

    async def GetWelcomeFigures(
        self, request: pb.GetWelcomeFiguresRequest, context: Any
    ) -> pb.GetWelcomeFiguresResponse:
        moment, me = as_of(request), caller()
        async with self._pool.acquire() as connection:
            userids = await shown_members(connection, me, "")
            row = await welcomes.figures(connection, me.corp_id, moment, userids)
        figures = pb.GetWelcomeFiguresResponse(
            sent=row["sent"],
            late=row["late"],
            refused=row["refused"],
            without_rule=row["without_rule"],
            open=row["open"],
            another_code=row["another_code"],
            failed=row["failed"],
        )
        if row["latencies"]:
            p50, p99, most = (_duration(seconds) for seconds in row["latencies"])
            figures.latency_p50.CopyFrom(p50)
            figures.latency_p99.CopyFrom(p99)
            figures.latency_max.CopyFrom(most)
        return figures


def _rule(row: Row) -> pb.WelcomeRule:
    rule = pb.WelcomeRule(
        welcome_rule_id=row["welcome_rule_id"],
        channel_id=row["channel_id"] or "",
        text=row["text"],
        created_at=row["created_at"],
        revision=row["revision"],
        attachments=shown(row["attachments"]),
        archived_at=dict(row).get("archived_at"),
    )
    if row["link"]:
        rule.link.CopyFrom(shown_link(json.loads(row["link"])))
    return rule


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
