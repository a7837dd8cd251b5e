"""What commerce knows, stated anew (chassis.restate)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from chassis import scheduled
from chassis.outbox import Tx
from chassis.restate import PAGE, Position, Restatement
from commerce.app import buyers as queries
from commerce.app.attribution import attributed

FIRST = str(UUID(int=0))


async def attributions(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    rows = await tx.connection.fetch(
        """
        select
            a.corp_id, a.mall_id, a.order_id, a.version, a.userid, a.channel_id, a.paid, a.paid_fen, a.refunded_fen,
            -- The release before kept these with the order only.
            coalesce(a.buyer_id, o.buyer_id) as buyer_id,
            coalesce(a.ordered_at, o.created_at) as ordered_at,
            coalesce(a.paid_at, o.paid_at) as paid_at,
            o.currency
        from attributions a
        join orders o using (corp_id, mall_id, order_id)
        where a.corp_id = $1 and (a.mall_id, a.order_id) > ($2, $3)
        order by a.mall_id, a.order_id
        limit $4
        """,
        corp_id,
        *(after or ("", "")),
        PAGE,
    )
    for row in rows:
        if since is None or (row["paid_at"] or row["ordered_at"]) >= since:
            tx.publish(attributed(row, row["currency"]), corp_id=corp_id)
    return (rows[-1]["mall_id"], rows[-1]["order_id"]) if rows else None


async def buyers(tx: Tx, corp_id: str, after: Position, since: datetime | None) -> Position | None:
    """What a mall told of a buyer is not kept here: the mall is asked once more, and states it through the answer."""
    rows = await tx.connection.fetch(
        """
        select buyer_id, identified_at
        from buyers
        where corp_id = $1 and buyer_id > $2
        order by buyer_id
        limit $3
        """,
        corp_id,
        *(after or (FIRST,)),
        PAGE,
    )
    now = datetime.now(UTC)
    again = [
        row["buyer_id"]
        for row in rows
        if row["identified_at"] is not None and (since is None or row["identified_at"] >= since)
    ]
    await scheduled.schedule_again(
        tx.connection, queries.KIND, [scheduled.Job(corp_id, buyer_id, now) for buyer_id in again]
    )
    return (rows[-1]["buyer_id"],) if rows else None


RESTATEMENTS = (
    Restatement("OrderAttributed", "attributions", attributions),
    Restatement("BuyerIdentified", "buyers", buyers),
)
