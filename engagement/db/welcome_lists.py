"""Lists of welcomes that have ended, newest first: every plan walks an index from where the page begins, never the
whole corp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is asked for. `since` is in, `until` is out; None means any."""

    statuses: Sequence[str]
    # The members who were added; None: everybody, of whom only what is UNSENT is listed.
    userids: Sequence[str] | None
    channel_id: str | None
    since: datetime | None
    until: datetime | None
    # The last welcome of the page before.
    before_at: datetime | None
    before_id: str
    limit: int


def _newest(groups: str, is_theirs: str) -> str:
    """SQL: a page of each group of welcomes, and of all those the newest. `groups` lists them; `is_theirs` tells
    whether a welcome is in one."""
    return f"""
        with newest as (
            select page.*
            from {groups}
            cross join lateral (
                select *
                from welcomes
                where corp_id = $1
                  and {is_theirs}
                  and ($8::uuid is null or channel_id = $8)
                  and (arrived_at, welcome_id) < (coalesce($3::timestamptz, 'infinity'), $4::uuid)
                  and arrived_at >= coalesce($5::timestamptz, '-infinity')
                  and arrived_at < coalesce($6::timestamptz, 'infinity')
                order by arrived_at desc, welcome_id desc
                limit $7
            ) page
            order by arrived_at desc, welcome_id desc
            limit $7
        )
        select newest.*, c.sealed_name
        from newest
        left join contacts c on (c.corp_id, c.contact_id) = (newest.corp_id, newest.contact_id)
        order by newest.arrived_at desc, newest.welcome_id desc
    """


UNSENT = ("LATE", "REFUSED", "WITHOUT_RULE", "FAILED")
# As the indexes say which welcomes they hold.
_UNSENT, _ENDED = "status in ('LATE', 'REFUSED', 'WITHOUT_RULE', 'FAILED')", "status <> 'OPEN'"
# Each outcome is a group; of some members' welcomes, each outcome of each member.
OF_CORP = _newest(
    "unnest($2::text[]) as wanted (status)",
    f"status = wanted.status and {_UNSENT}",
)
OF_CHANNEL = _newest(
    "unnest($2::text[]) as wanted (status)",
    f"channel_id = $8::uuid and status = wanted.status and {_UNSENT}",
)
OF_STAFF = _newest(
    "unnest($9::text[]) as whose (userid) cross join unnest($2::text[]) as wanted (status)",
    f"userid = whose.userid and status = wanted.status and {_ENDED}",
)


async def newest(connection: Connection, corp_id: str, wanted: Wanted) -> Sequence[Row]:
    """Welcomes, newest first, each with its customer's sealed name."""
    arguments = (
        corp_id,
        list(wanted.statuses),
        wanted.before_at,
        wanted.before_id,
        wanted.since,
        wanted.until,
        wanted.limit,
        wanted.channel_id,
    )
    if wanted.userids is not None:
        rows: Sequence[Row] = await connection.fetch(OF_STAFF, *arguments, sorted(wanted.userids))
    else:
        rows = await connection.fetch(OF_CHANNEL if wanted.channel_id else OF_CORP, *arguments)
    return rows
