"""GMV and its breakdowns, over facts known at `as_of` (None: now)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.pool import Connection, Row
from commerce.db.orders import AS_OF


async def by_status(connection: Connection, corp_id: str, as_of: datetime | None) -> dict[str, int]:
    rows = await connection.fetch(
        f"with known as ({AS_OF}) select status, count(*) as n from known group by status order by status",
        corp_id,
        as_of,
    )
    return {row["status"]: row["n"] for row in rows}


async def totals(connection: Connection, corp_id: str, as_of: datetime | None) -> Row:
    """Paid orders, money, and people: a buyer whom identity has not placed yet counts as themselves."""
    row = await connection.fetchrow(
        f"with known as ({AS_OF}), paid as (select k.*, coalesce(i.customer_id, k.buyer_id) as person from known k"
        " left join customer_identifiers i on i.corp_id = k.corp_id and i.identifier_id = k.buyer_id"
        " where k.paid_then is not null), people as (select person, count(*) as orders from paid group by person)"
        " select (select count(*) from paid) as orders, (select coalesce(sum(paid_then), 0) from paid)::bigint as gmv,"
        " (select coalesce(sum(refunded_fen), 0) from paid)::bigint as refunded,"
        " (select count(*) from people) as buyers, (select count(*) from people where orders >= 2) as repeat_buyers",
        corp_id,
        as_of,
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row


async def shares(connection: Connection, corp_id: str, as_of: datetime | None, by: str) -> Sequence[Row]:
    """GMV by `userid` or `channel_id` of the present attribution, largest first; null for what nothing earned."""
    if by not in ("userid", "channel_id"):
        raise ValueError(by)
    rows: Sequence[Row] = await connection.fetch(
        f"with known as ({AS_OF}) select a.{by} as key, count(*) as orders, sum(k.paid_then)::bigint as gmv,"
        " sum(k.refunded_fen)::bigint as refunded from known k"
        " left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (k.corp_id, k.mall_id, k.order_id)"
        f" where k.paid_then is not null group by a.{by} order by gmv desc, key",
        corp_id,
        as_of,
    )
    return rows
