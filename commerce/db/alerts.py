"""Which alerts were stated, so that none is stated twice; and who is who under another userid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from chassis.pool import Connection

Alert = tuple[str, str]  # corp, alert id
Member = tuple[str, str]  # corp, userid


async def raise_once(connection: Connection, alerts: Mapping[Alert, Iterable[str]]) -> set[Alert]:
    """Keeps the alerts and returns those that are news; each comes with the ids that it had under its recipient's
    former userids."""
    if not alerts:
        return set()
    before = sorted({(corp_id, former) for (corp_id, _), ids in alerts.items() for former in ids})
    told = await connection.fetch(
        """
        select corp_id, alert_id
        from alerts_raised
        where (corp_id, alert_id) in (select * from unnest($1::text[], $2::text[]))
        """,
        *(zip(*before, strict=True) if before else ([], [])),
    )
    known = {(row["corp_id"], row["alert_id"]) for row in told}
    news = sorted(alert for alert, ids in alerts.items() if not any((alert[0], former) in known for former in ids))
    if not news:
        return set()
    rows = await connection.fetch(
        """
        insert into alerts_raised (corp_id, alert_id)
        select * from unnest($1::text[], $2::text[])
        on conflict do nothing
        returning corp_id, alert_id
        """,
        *zip(*news, strict=True),
    )
    return {(row["corp_id"], row["alert_id"]) for row in rows}


async def former_userids(connection: Connection, members: Iterable[Member]) -> dict[Member, list[str]]:
    """All userids that these members ever had before; empty for most."""
    ordered = sorted(set(members))
    if not ordered:
        return {}
    rows = await connection.fetch(
        """
        with recursive names as (
            select t.corp_id, t.userid, r.former_userid
            from unnest($1::text[], $2::text[]) as t(corp_id, userid)
            join staff_renames r on (r.corp_id, r.userid) = (t.corp_id, t.userid)
            union
            select n.corp_id, n.userid, r.former_userid
            from names n
            join staff_renames r on (r.corp_id, r.userid) = (n.corp_id, n.former_userid)
        )
        select * from names order by corp_id, userid, former_userid
        """,
        *zip(*ordered, strict=True),
    )
    found: dict[Member, list[str]] = defaultdict(list)
    for row in rows:
        found[row["corp_id"], row["userid"]].append(row["former_userid"])
    return found
