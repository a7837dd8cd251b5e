"""Lists of members, with their roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis.kernel.scope import visible_staff
from chassis.paging import SortedPage
from chassis.pool import Connection, Row

WANTED = f"""
    select s.*, coalesce(r.role, 'FRONTLINE') as role
    from staff s
    left join roles r on (r.corp_id, r.userid) = (s.corp_id, s.userid)
    where s.corp_id = $1
      and ($2::text is null or s.userid in {visible_staff("staff", "$1", "$2")})
      and ($3::text = '' or starts_with(s.userid, $3) or $4::uuid = any(s.name_prefix_ids))
      and ($5::bigint is null or s.within_department_ids && array[$5])
      and ($6::text = '' or coalesce(r.role, 'FRONTLINE') = $6)
      and ($7::boolean is null or s.active = $7)
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`own`: only members whose customers this one sees; None for all. `prefix_id`: those whose name begins so count
    beside those whose userid begins with `userid`."""

    corp_id: str
    own: str | None
    userid: str = ""
    prefix_id: str | None = None
    department_id: int | None = None
    role: str = ""
    active: bool | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        return self.corp_id, self.own, self.userid, self.prefix_id, self.department_id, self.role, self.active


async def page(connection: Connection, wanted: Wanted, asked: SortedPage) -> Sequence[Row]:
    """`asked`: sorted by userid."""
    rows: Sequence[Row] = await connection.fetch(
        f"""
        {WANTED}
          and {asked.beyond("s.userid", "s.userid", 9, "text")}
        order by {asked.order("s.userid", "s.userid")}
        limit $8
        """,
        *wanted.values,
        asked.size,
        *(asked.after or ()),
    )
    return rows


async def count(connection: Connection, wanted: Wanted, limit: int) -> int:
    """No further than `limit`."""
    counted: int = await connection.fetchval(f"select count(*) from ({WANTED} limit $8) bounded", *wanted.values, limit)
    return counted
