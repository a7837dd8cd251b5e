"""What lists about members' work are asked for, and whose rows a caller sees in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chassis.errors import Invalid
from chassis.kernel.caller import Caller
from chassis.pool import Connection
from engagement.db.visibility import visible


async def shown_members(connection: Connection, me: Caller, userid: str) -> list[str] | None:
    """The members whose rows are listed, only `userid` when it is given; None: everybody's."""
    asked = [userid.strip().lower()] if userid else None
    if me.confined_to is None:
        return asked
    seen = await visible(connection, me.corp_id, me.confined_to)
    return seen if asked is None else sorted(set(asked) & set(seen))


def period(request: Any) -> tuple[datetime | None, datetime | None]:
    """`since` and `until` of the request; None for one that is not given. Raises Invalid."""
    since, until = (
        getattr(request, field).ToDatetime(UTC) if request.HasField(field) else None for field in ("since", "until")
    )
    if since and until and since >= until:
        raise Invalid("PERIOD_EMPTY", field="until", expected="a time after since")
    return since, until
