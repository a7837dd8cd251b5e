"""Alerts and the app messages that carry them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.pool import Connection, Row

INSERT = Path(__file__).with_name("insert_alerts.sql").read_text()
COLUMNS = (
    *("corp_id", "alert_id", "userid", "kind", "cause", "contact_id", "importance", "next_step", "details"),
    *("at", "arrived_at", "status", "said_userid"),
)


async def insert(connection: Connection, rows: Iterable[dict[str, Any]]) -> Sequence[Row]:
    """Whole rows by column name (COLUMNS); returns corp, userid and status of the new ones. A cause is told to a
    recipient once, whatever id the alert has."""
    one_of_each = {(row["corp_id"], row["userid"], row["cause"]): row for row in rows}
    ordered = sorted(one_of_each.values(), key=lambda row: (row["corp_id"], row["alert_id"]))
    columns = [[row[name] for row in ordered] for name in COLUMNS]
    columns[COLUMNS.index("details")] = [json.dumps(row["details"], ensure_ascii=False) for row in ordered]
    new: Sequence[Row] = await connection.fetch(INSERT, *columns)
    return new


async def unsent(connection: Connection, corp_id: str, userid: str, kinds: Sequence[str], limit: int) -> Sequence[Row]:
    """Alerts of these kinds that no message holds yet, oldest first."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from alerts
        where corp_id = $1
          and userid = $2
          and status in ('OPEN', 'WAITING')
          and message_id is null
          and kind = any($3)
        order by arrived_at, alert_id
        limit $4
        """,
        corp_id,
        userid,
        kinds,
        limit,
    )
    return rows


async def left_behind(connection: Connection, job_kind: str, kinds: Sequence[str], limit: int) -> Sequence[Row]:
    """Recipients, (corp, userid), of alerts of these kinds for which no message is due: the release before finishes a
    message without those it cannot read."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select distinct corp_id, userid
        from alerts
        where status in ('OPEN', 'WAITING')
          and message_id is null
          and kind = any($2)
          and not exists (
              select from due_rows d
              where d.corp_id = alerts.corp_id and d.kind = $1 and d.key = alerts.userid and d.status <> 'done'
          )
        limit $3
        """,
        job_kind,
        kinds,
        limit,
    )
    return rows


async def attempting(connection: Connection, corp_id: str, userid: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from app_messages
        where corp_id = $1 and userid = $2 and status = 'ATTEMPTING'
        order by message_id
        limit 1
        """,
        corp_id,
        userid,
    )
    return row


async def begin_message(
    connection: Connection, corp_id: str, message_id: str, userid: str, sealed_content: bytes, alert_ids: Sequence[str]
) -> None:
    """The alerts become OPEN: whoever ends the message, the release before too, ends them."""
    await connection.execute(
        """
        insert into app_messages (corp_id, message_id, userid, sealed_content)
        values ($1, $2, $3, $4)
        """,
        corp_id,
        message_id,
        userid,
        sealed_content,
    )
    await connection.execute(
        """
        update alerts
        set message_id = $2, status = 'OPEN'
        where corp_id = $1 and alert_id = any($3)
        """,
        corp_id,
        message_id,
        list(alert_ids),
    )


async def end_message(connection: Connection, corp_id: str, message_id: str, delivered: bool, errcode: int) -> None:
    await connection.execute(
        """
        update app_messages
        set status = $3, errcode = $4
        where corp_id = $1 and message_id = $2
        """,
        corp_id,
        message_id,
        "SENT" if delivered else "REFUSED",
        errcode,
    )
    await connection.execute(
        """
        update alerts
        set status = $3, delivered_at = case when $4 then now() end
        where corp_id = $1 and message_id = $2 and status = 'OPEN'
        """,
        corp_id,
        message_id,
        "DELIVERED" if delivered else "REFUSED",
        delivered,
    )


async def figures(
    connection: Connection, corp_id: str, as_of: datetime | None, userids: Sequence[str] | None
) -> Sequence[Row]:
    """Counts by kind. `userids`: of alerts to these alone; None: to anybody."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select
            kind,
            count(*) as raised,
            count(*) filter (where status = 'DELIVERED') as delivered,
            count(*) filter (where status = 'REFUSED') as refused,
            count(*) filter (where status = 'EXPIRED') as expired,
            count(*) filter (where status in ('OPEN', 'WAITING')) as open,
            count(*) filter (where status = 'LISTED') as listed
        from alerts
        where corp_id = $1
          and ($2::timestamptz is null or arrived_at <= $2)
          and ($3::text[] is null or userid = any($3))
        group by kind
        order by kind
        """,
        corp_id,
        as_of,
        userids,
    )
    return rows


async def messages_sent(
    connection: Connection, corp_id: str, as_of: datetime | None, userids: Sequence[str] | None
) -> int:
    """`userids`: to these alone, whatever they were called when it was sent; None: to anybody."""
    count: int = await connection.fetchval(
        """
        select count(*)
        from app_messages m
        where m.corp_id = $1
          and m.status = 'SENT'
          and ($2::timestamptz is null or m.attempted_at <= $2)
          and (
              $3::text[] is null
              or m.message_id in (select a.message_id from alerts a where a.corp_id = $1 and a.userid = any($3))
          )
        """,
        corp_id,
        as_of,
        userids,
    )
    return count
