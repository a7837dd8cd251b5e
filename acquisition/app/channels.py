"""Channels, as other services are told of them."""

from __future__ import annotations

from bihuan.acquisition.v1.facts_pb2 import ChannelChanged

from acquisition.db import channels as db
from chassis.outbox import Outbox
from chassis.pool import Row

STATED_AT_ONCE = 500


async def state_unstated(outbox: Outbox) -> int:
    """States channels of which others have not been told, whoever made them; returns how many."""
    async with outbox.transaction() as tx:
        rows = await db.take_unstated(tx.connection, STATED_AT_ONCE)
        for row in rows:
            tx.publish(changed(row), corp_id=row["corp_id"])
    return len(rows)


def changed(row: Row) -> ChannelChanged:
    return ChannelChanged(
        corp_id=row["corp_id"],
        channel_id=row["channel_id"],
        name=row["name"],
        is_default=row["is_default"],
        version=row["version"],
    )
