"""Names of channels, as acquisition last said."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.pool import Connection
from chassis.projection import Projection

CHANNELS = Projection("channels", {"corp_id": "text", "channel_id": "uuid"}, {"name": "text"})


async def names_of(connection: Connection, corp_id: str, channel_ids: Iterable[str]) -> dict[str, str]:
    """Channel → its name, if it is known; ids that are no UUIDs are known to nobody."""
    wanted = sorted(set(channel_ids))
    if not wanted:
        return {}
    rows = await connection.fetch(
        """
        select channel_id, name
        from channels
        where corp_id = $1
          and channel_id = any(array(select id::uuid from unnest($2::text[]) as id where pg_input_is_valid(id, 'uuid')))
        """,
        corp_id,
        wanted,
    )
    return {row["channel_id"]: row["name"] for row in rows}
