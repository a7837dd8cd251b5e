"""Mall messages that nobody reads yet, counted by kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection


@dataclass(frozen=True, slots=True)
class Unread:
    corp_id: str
    mall_id: str
    kind: str
    arrived_at: datetime


async def count(connection: Connection, messages: Iterable[Unread]) -> None:
    """Adds the messages; none may be counted before."""
    came = list(messages)
    await connection.execute(
        """
        insert into unread_messages as u (corp_id, mall_id, kind, messages, first_arrived_at, last_arrived_at)
        select corp_id, mall_id, kind, count(*), min(arrived_at), max(arrived_at)
        from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as t(corp_id, mall_id, kind, arrived_at)
        group by corp_id, mall_id, kind
        order by corp_id, mall_id, kind
        on conflict (corp_id, mall_id, kind) do update set
            messages = u.messages + excluded.messages,
            first_arrived_at = least(u.first_arrived_at, excluded.first_arrived_at),
            last_arrived_at = greatest(u.last_arrived_at, excluded.last_arrived_at)
        """,
        [one.corp_id for one in came],
        [one.mall_id for one in came],
        [one.kind for one in came],
        [one.arrived_at for one in came],
    )


async def since(connection: Connection, corp_id: str, moment: datetime) -> dict[str, int]:
    """How many since the hour of that moment, by mall."""
    rows = await connection.fetch(
        """
        select mall_id, sum(messages)::bigint as messages
        from unread_hours
        where corp_id = $1 and hour > $2::timestamptz - interval '1 hour'
        group by mall_id
        """,
        corp_id,
        moment,
    )
    return {row["mall_id"]: row["messages"] for row in rows}
