"""What acquisition knows, stated anew (chassis.restate)."""

from __future__ import annotations

from datetime import datetime

from acquisition.app.channels import stated
from acquisition.app.touches import acquired
from acquisition.db import channels as channels_db
from acquisition.db import touches as db
from chassis.outbox import Tx
from chassis.paging import NIL
from chassis.restate import PAGE, Position, Restatement


async def touches(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    """Without welcome codes, which died seconds after their add: nobody is to be welcomed for what is said again."""
    rows = await db.page(tx.connection, corp_id, after[0] if after else "", PAGE)
    for touch in rows:
        if since is None or touch.arrived_at >= since:
            fact = acquired(touch)
            fact.ClearField("sealed_welcome_code")
            tx.publish(fact, corp_id=corp_id)
    return (rows[-1].touch_id,) if rows else None


async def channels(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    rows = await channels_db.by_id(tx.connection, corp_id, after[0] if after else NIL, PAGE)
    for row in rows:
        if since is None or row["created_at"] >= since:
            tx.publish(stated(row), corp_id=corp_id)
    return (rows[-1]["channel_id"],) if rows else None


# Names first: what is said of touches may name their channels.
RESTATEMENTS = (
    Restatement("ChannelChanged", "channels", channels),
    Restatement("CustomerAcquired", "touches", touches),
)
