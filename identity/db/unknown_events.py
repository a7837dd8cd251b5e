"""Events that there is no message for yet, counted."""

from __future__ import annotations

from chassis.pool import Connection


async def count(connection: Connection, corp_id: str, event: str, change_type: str, seen: int) -> None:
    await connection.execute(
        """
        insert into unknown_events as u (corp_id, event, change_type, seen)
        values ($1, $2, $3, $4)
        on conflict (corp_id, event, change_type) do update
        set seen = u.seen + excluded.seen
        """,
        corp_id,
        event,
        change_type,
        seen,
    )
