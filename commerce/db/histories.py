"""The relations and touches of one customer: what attribution decides by."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.kernel.scope import visible_staff
from chassis.pool import Connection
from commerce.domain.attribution import Span, Touch


async def spans(connection: Connection, corp_id: str, customer_id: str) -> list[Span]:
    """Of all the customer's contacts with all employees."""
    rows = await connection.fetch(
        """
        select s.userid, s.contact_id, s.added_at, s.ended_at
        from customer_identifiers c
        join relation_spans s on (s.corp_id, s.contact_id) = (c.corp_id, c.identifier_id)
        where c.corp_id = $1 and c.customer_id = $2
        """,
        corp_id,
        customer_id,
    )
    return [Span(row["userid"], str(row["contact_id"]), row["added_at"], row["ended_at"]) for row in rows]


async def touches(connection: Connection, corp_id: str, customer_id: str) -> list[Touch]:
    """Of all the customer's contacts."""
    rows = await connection.fetch(
        """
        select t.touch_id, t.channel_id, t.added_at, t.confirmation
        from customer_identifiers c
        join touches t on (t.corp_id, t.contact_id) = (c.corp_id, c.identifier_id)
        where c.corp_id = $1 and c.customer_id = $2
        """,
        corp_id,
        customer_id,
    )
    return [Touch(row["touch_id"], str(row["channel_id"]), row["added_at"], row["confirmation"]) for row in rows]


async def visible(connection: Connection, corp_id: str, own: str, userids: Sequence[str]) -> set[str]:
    """Those of the employees whose customers the member `own` sees."""
    rows = await connection.fetch(
        f"""
        select distinct v.userid
        from {visible_staff("staff_places", "$1::text", "$2::text")} as v (userid)
        where v.userid = any($3)
        """,
        corp_id,
        own,
        userids,
    )
    return {row["userid"] for row in rows}
