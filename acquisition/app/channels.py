"""Channels: named, renamed, archived, and stated so that others know their names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg
from bihuan.acquisition.v1.facts_pb2 import ChannelChanged
from uuid_utils import uuid7

from acquisition.db import channels as db
from chassis.errors import AlreadyExists, Conflict, NotFound
from chassis.kernel.changes import publish_changed
from chassis.outbox import Outbox, Tx
from chassis.paging import text
from chassis.pool import Row

NOUN = "channels"
MOST_NAME = 60
STATED_AT_ONCE = 500


def _taken() -> AlreadyExists:
    return AlreadyExists("CHANNEL_NAME_TAKEN", field="name", expected="a name no other channel has, archived or not")


class Channels:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def create(self, tx: Tx, corp_id: str, name: str) -> Row:
        """Raises Invalid or AlreadyExists."""
        row = await db.insert(tx.connection, corp_id, str(uuid7()), text(name, "name", most=MOST_NAME))
        if row is None:
            raise _taken()
        publish_changed(tx, corp_id, NOUN, [row["channel_id"]])
        return row

    async def update(self, corp_id: str, channel_id: str, revision: int | None, name: str) -> Row:
        """`revision`: the one that the caller saw. Raises Invalid, NotFound, AlreadyExists, or Conflict when somebody
        else changed the channel since."""
        return await self._change(corp_id, channel_id, revision, name=text(name, "name", most=MOST_NAME))

    async def archive(self, corp_id: str, channel_id: str) -> Row:
        """Raises NotFound; Conflict for the default channel."""
        return await self._change(corp_id, channel_id, None, archived_at=datetime.now(UTC))

    async def restore(self, corp_id: str, channel_id: str) -> Row:
        """Raises NotFound."""
        return await self._change(corp_id, channel_id, None, archived_at=None)

    async def _change(self, corp_id: str, channel_id: str, revision: int | None, **changes: Any) -> Row:
        async with self._outbox.transaction() as tx:
            row = await db.lock(tx.connection, corp_id, channel_id)
            if row is None:
                raise NotFound("CHANNEL_NOT_FOUND", field="channelId")
            if revision is not None and revision != row["revision"]:
                raise Conflict("REVISION_PASSED", field="revision", expected=f"{row['revision']}, as it is now")
            if changes.get("archived_at") and row["is_default"]:
                raise Conflict(
                    "CHANNEL_IS_DEFAULT", field="channelId", expected="a channel that is not the default one"
                )
            if changes.get("archived_at") and row["archived_at"]:
                return row
            wanted = {"name": row["name"], "archived_at": row["archived_at"], **changes}
            if all(row[key] == value for key, value in wanted.items()):
                return row
            try:
                changed = await db.change(tx.connection, corp_id, channel_id, **wanted)
            except asyncpg.UniqueViolationError:
                raise _taken() from None
            publish_changed(tx, corp_id, NOUN, [channel_id])
            return changed


async def state_unstated(outbox: Outbox) -> int:
    """States channels of which others have not been told, whoever made them; returns how many."""
    async with outbox.transaction() as tx:
        rows = await db.take_unstated(tx.connection, STATED_AT_ONCE)
        for row in rows:
            tx.publish(stated(row), corp_id=row["corp_id"])
    return len(rows)


def stated(row: Row) -> ChannelChanged:
    return ChannelChanged(
        corp_id=row["corp_id"],
        channel_id=row["channel_id"],
        name=row["name"],
        is_default=row["is_default"],
        version=row["version"],
    )
