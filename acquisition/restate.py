"""What acquisition knows, stated anew (chassis.restate)."""

from __future__ import annotations

from datetime import datetime

from acquisition.app.touches import acquired
from acquisition.db.touches import NAMES, Touch
from chassis.outbox import Tx
from chassis.restate import PAGE, Position, Restatement


async def touches(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    """Without welcome codes, which died seconds after their add: nobody is to be welcomed for what is said again."""
    rows = await tx.connection.fetch(
        f"""
        select {", ".join(NAMES)}
        from touches
        where corp_id = $1 and touch_id > $2
        order by touch_id
        limit $3
        """,
        corp_id,
        *(after or ("",)),
        PAGE,
    )
    for row in rows:
        if since is None or row["arrived_at"] >= since:
            fact = acquired(Touch(**row))
            fact.ClearField("sealed_welcome_code")
            tx.publish(fact, corp_id=corp_id)
    return (rows[-1]["touch_id"],) if rows else None


RESTATEMENTS = (Restatement("CustomerAcquired", "touches", touches),)
