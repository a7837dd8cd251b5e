"""Lists of live codes: filtered, sorted, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.paging import SortedPage
from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which codes a list shows; None: any. `name`: a part of it, in any case."""

    channel_id: str | None
    userid: str | None
    status: str | None
    name: str | None
    archived: bool

    @property
    def parameters(self) -> tuple[object, ...]:
        return self.channel_id, self.userid, self.status, self.name, self.archived


MATCHES = """
    corp_id = $1
    and ($2::uuid is null or channel_id = $2)
    and ($3::text is null or $3 = any(userids))
    and ($4::text is null or status = $4)
    and ($5::text is null or strpos(lower(name), lower($5)) > 0)
    and (archived_at is not null) = $6
"""


async def page(connection: Connection, corp_id: str, page: SortedPage, wanted: Wanted) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        f"""
        select *
        from live_codes
        where {MATCHES}
          and {page.beyond(page.order_by, "live_code_id", 8)}
        order by {page.order(page.order_by, "live_code_id")}
        limit $7
        """,
        corp_id,
        *wanted.parameters,
        page.size,
        *(page.after or ()),
    )
    return rows


async def count(connection: Connection, corp_id: str, wanted: Wanted, limit: int) -> int:
    """Counts no further than `limit`."""
    counted: int = await connection.fetchval(
        f"""
        select count(*)
        from (
            select
            from live_codes
            where {MATCHES}
            limit $7
        ) bounded
        """,
        corp_id,
        *wanted.parameters,
        limit,
    )
    return counted
