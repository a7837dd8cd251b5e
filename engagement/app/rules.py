"""Welcome rules, changed in place: an add that comes meanwhile gets the rule as it was or as it is, never none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from chassis.errors import AlreadyExists, Conflict, NotFound
from chassis.kernel.changes import publish_changed
from chassis.outbox import Tx
from chassis.pool import Row
from engagement.db import rules as db

NOUN = "welcome-rules"


async def update(tx: Tx, corp_id: str, rule_id: str, revision: int | None, changes: Mapping[str, Any]) -> Row:
    """The rule with the changes (text, channel_id, link) made. `revision`: the one that the caller saw.

    Raises NotFound; Conflict when somebody else changed it since; AlreadyExists when the channel has a rule.
    """
    row = await db.lock(tx.connection, corp_id, rule_id)
    if row is None:
        raise NotFound("WELCOME_RULE_NOT_FOUND", field="welcomeRuleId")
    if revision is not None and revision != row["revision"]:
        raise Conflict("REVISION_PASSED", field="revision", expected=f"{row['revision']}, as it is now")
    try:
        changed = await db.update(tx.connection, corp_id, rule_id, {**row, **changes})
    except asyncpg.UniqueViolationError:
        raise AlreadyExists("WELCOME_RULE_EXISTS", field="channelId", expected="a channel without a rule") from None
    publish_changed(tx, corp_id, NOUN, [rule_id])
    return changed
