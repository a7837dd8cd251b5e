"""Lists of alerts, newest first: every plan walks an index from where the page begins, never the whole corp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is asked for. `since` is in, `until` is out; None means any."""

    kinds: Sequence[str]
    # The recipients; None: everybody.
    userids: Sequence[str] | None
    since: datetime | None
    until: datetime | None
    # The last alert of the page before.
    before_at: datetime | None
    before_id: str
    limit: int
    undelivered: bool = False


def _newest(groups: str, is_theirs: str, statuses: str) -> str:
    """SQL: a page of each group of alerts, and of all those the newest. `groups` lists them; `is_theirs` tells
    whether an alert is in one, `statuses` whether its status is wanted."""
    return f"""
        with newest as (
            select page.*
            from {groups}
            cross join lateral (
                select *
                from alerts
                where corp_id = $1
                  and {is_theirs}
                  and {statuses}
                  and (at, alert_id) < (coalesce($3::timestamptz, 'infinity'), $4)
                  and at >= coalesce($5::timestamptz, '-infinity')
                  and at < coalesce($6::timestamptz, 'infinity')
                order by at desc, alert_id desc
                limit $7
            ) page
            order by at desc, alert_id desc
            limit $7
        )
        select newest.*, c.sealed_name, m.errcode
        from newest
        left join app_messages m on (m.corp_id, m.message_id) = (newest.corp_id, newest.message_id)
        left join contacts c on (c.corp_id, c.contact_id) = (newest.corp_id, newest.contact_id)
        order by newest.at desc, newest.alert_id desc
    """


# Each kind is a group; of some members' alerts, each kind of each recipient.
_CORP = ("unnest($2::text[]) as wanted (kind)", "kind = wanted.kind")
_STAFF = (
    "unnest($8::text[]) as whose (userid) cross join unnest($2::text[]) as wanted (kind)",
    "userid = whose.userid and kind = wanted.kind",
)
OF_CORP, OF_STAFF = _newest(*_CORP, "true"), _newest(*_STAFF, "true")
# As the indexes of those say it.
_UNDELIVERED = "status in ('REFUSED', 'EXPIRED')"
UNDELIVERED_OF_CORP, UNDELIVERED_OF_STAFF = _newest(*_CORP, _UNDELIVERED), _newest(*_STAFF, _UNDELIVERED)


async def newest(connection: Connection, corp_id: str, wanted: Wanted) -> Sequence[Row]:
    """Alerts, newest first, each with its customer's sealed name."""
    arguments = (
        corp_id,
        list(wanted.kinds),
        wanted.before_at,
        wanted.before_id,
        wanted.since,
        wanted.until,
        wanted.limit,
    )
    if wanted.userids is None:
        query = UNDELIVERED_OF_CORP if wanted.undelivered else OF_CORP
        rows: Sequence[Row] = await connection.fetch(query, *arguments)
    else:
        query = UNDELIVERED_OF_STAFF if wanted.undelivered else OF_STAFF
        rows = await connection.fetch(query, *arguments, sorted(wanted.userids))
    return rows
