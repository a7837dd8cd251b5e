"""Welcome rules, changed in place: an add that comes meanwhile gets the rule as it was or as it is, never none. Those
that are archived apply no more, and come back where their channel has no other one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from chassis.errors import AlreadyExists, Conflict, Invalid, NotFound, Precondition
from chassis.kernel.changes import publish_changed
from chassis.outbox import Tx
from chassis.pool import Connection, Row
from engagement.db import archived_rules
from engagement.db import rules as db
from engagement.domain.attachments import MOST

NOUN = "welcome-rules"


async def update(tx: Tx, corp_id: str, rule_id: str, revision: int | None, changes: Mapping[str, Any]) -> Row:
    """The rule with the changes (text, channel_id, link, attachments) made. `revision`: the one that the caller saw.

    Raises NotFound; Precondition when it is archived; Conflict when somebody else changed it since; AlreadyExists when
    the channel has a rule.
    """
    row = await db.lock(tx.connection, corp_id, rule_id)
    if row is None:
        if await archived_rules.get(tx.connection, corp_id, rule_id) is not None:
            raise Precondition("WELCOME_RULE_ARCHIVED", field="welcomeRuleId", expected="a rule that applies")
        raise NotFound("WELCOME_RULE_NOT_FOUND", field="welcomeRuleId")
    if revision is not None and revision != row["revision"]:
        raise Conflict("REVISION_PASSED", field="revision", expected=f"{row['revision']}, as it is now")
    if all(db.same(row[name], value) for name, value in changes.items()):
        return row
    wanted = {**row, **changes}
    check_count(wanted["link"], wanted["attachments"])
    try:
        changed = await db.update(tx.connection, corp_id, rule_id, wanted)
    except asyncpg.UniqueViolationError:
        raise AlreadyExists("WELCOME_RULE_EXISTS", field="channelId", expected="a channel without a rule") from None
    publish_changed(tx, corp_id, NOUN, [rule_id])
    return changed


def check_count(link: object, attachments: Sequence[Any] | str | None) -> None:
    """`attachments`: as checked, or as the table has them. Raises Invalid."""
    kept = json.loads(attachments) if isinstance(attachments, str) else attachments or ()
    if bool(link) + len(kept) > MOST:
        raise Invalid("TOO_MANY_ATTACHMENTS", field="attachments", expected=f"at most {MOST}, the link among them")


async def find(connection: Connection, corp_id: str, rule_id: str) -> Row:
    """Archived or not. Raises NotFound."""
    row = await db.get(connection, corp_id, rule_id) or await archived_rules.get(connection, corp_id, rule_id)
    if row is None:
        raise NotFound("WELCOME_RULE_NOT_FOUND", field="welcomeRuleId")
    return row


async def archive(tx: Tx, corp_id: str, rule_id: str) -> Row:
    """The rule, which may have been archived before. Raises NotFound."""
    row = await archived_rules.archive(tx.connection, corp_id, rule_id)
    if row is None:
        row = await archived_rules.get(tx.connection, corp_id, rule_id)
        if row is None:
            raise NotFound("WELCOME_RULE_NOT_FOUND", field="welcomeRuleId")
        return row
    publish_changed(tx, corp_id, NOUN, [rule_id])
    return row


async def restore(tx: Tx, corp_id: str, rule_id: str) -> Row:
    """The rule, which may apply already. Raises NotFound, and AlreadyExists when its channel has another one now."""
    if await archived_rules.lock(tx.connection, corp_id, rule_id) is None:
        return await find(tx.connection, corp_id, rule_id)
    row = await archived_rules.restore(tx.connection, corp_id, rule_id)
    if row is None:
        raise AlreadyExists("WELCOME_RULE_EXISTS", field="channelId", expected="a channel without a rule")
    publish_changed(tx, corp_id, NOUN, [rule_id])
    return row
