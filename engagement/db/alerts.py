"""Alerts and the app messages that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from chassis.pool import Connection, Row


async def insert(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> Sequence[Row]:
    """Rows of (corp, alert, userid, kind, contact, mall, order, fen, at, arrived, status); returns the new ones."""
    columns = list(zip(*sorted(rows, key=lambda r: r[:2]), strict=True))
    new: Sequence[Row] = await connection.fetch(
        "insert into alerts (corp_id, alert_id, userid, kind, contact_id, mall_id, order_id, amount_fen, at,"
        " arrived_at, status)"
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[],"
        " $7::text[], $8::bigint[], $9::timestamptz[], $10::timestamptz[], $11::text[])"
        " on conflict do nothing returning corp_id, userid, status",
        *columns,
    )
    return new


async def open_of(connection: Connection, corp_id: str, userid: str, limit: int) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        "select * from alerts where corp_id = $1 and userid = $2 and status = 'OPEN' order by arrived_at, alert_id"
        " limit $3",
        corp_id,
        userid,
        limit,
    )
    return rows


async def attempting(connection: Connection, corp_id: str, userid: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        "select * from app_messages where corp_id = $1 and userid = $2 and status = 'ATTEMPTING'"
        " order by message_id limit 1",
        corp_id,
        userid,
    )
    return row


async def begin_message(
    connection: Connection, corp_id: str, message_id: str, userid: str, sealed_content: bytes, alert_ids: Sequence[str]
) -> None:
    await connection.execute(
        "insert into app_messages (corp_id, message_id, userid, sealed_content) values ($1, $2, $3, $4)",
        corp_id,
        message_id,
        userid,
        sealed_content,
    )
    await connection.execute(
        "update alerts set message_id = $2 where corp_id = $1 and alert_id = any($3)",
        corp_id,
        message_id,
        list(alert_ids),
    )


async def end_message(connection: Connection, corp_id: str, message_id: str, delivered: bool, errcode: int) -> None:
    await connection.execute(
        "update app_messages set status = $3, errcode = $4 where corp_id = $1 and message_id = $2",
        corp_id,
        message_id,
        "SENT" if delivered else "REFUSED",
        errcode,
    )
    await connection.execute(
        "update alerts set status = $3, delivered_at = case when $4 then now() end"
        " where corp_id = $1 and message_id = $2 and status = 'OPEN'",
        corp_id,
        message_id,
        "DELIVERED" if delivered else "REFUSED",
        delivered,
    )


async def figures(connection: Connection, corp_id: str, as_of: datetime | None) -> Row:
    row = await connection.fetchrow(
        "select count(*) as raised, count(*) filter (where status = 'DELIVERED') as delivered,"
        " count(*) filter (where status = 'REFUSED') as refused, count(*) filter (where status = 'EXPIRED') as expired,"
        " count(*) filter (where status = 'OPEN') as open,"
        " (select count(*) from app_messages where corp_id = $1 and status = 'SENT'"
        "  and ($2::timestamptz is null or attempted_at <= $2)) as messages"
        " from alerts where corp_id = $1 and ($2::timestamptz is null or arrived_at <= $2)",
        corp_id,
        as_of,
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row
