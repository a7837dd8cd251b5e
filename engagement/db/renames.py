"""What is kept under a userid moves when its member is renamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Move:
    """What was said of `former` up to `until`, and after the move before, is of `present`."""

    corp_id: str
    former: str
    until: datetime
    present: str


async def move_welcomes(connection: Connection, moves: Sequence[Move]) -> None:
    """Those that are still to be sent."""
    await connection.execute(
        """
        with moved as (
            select w.corp_id, w.welcome_id, move.present
            from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
                as move (corp_id, former, until, present)
            join welcomes w on (w.corp_id, w.userid) = (move.corp_id, move.former)
            where w.status = 'OPEN'
              and coalesce(w.added_at, w.arrived_at) <= move.until
            order by w.corp_id, w.welcome_id
            for update of w
        )
        update welcomes w
        set userid = moved.present
        from moved
        where (w.corp_id, w.welcome_id) = (moved.corp_id, moved.welcome_id)
        """,
        *_columns(moves),
    )


async def copy_names(connection: Connection, moves: Sequence[Move]) -> None:
    """Until identity says how the present userid is called."""
    await connection.execute(
        """
        insert into staff (corp_id, userid, sealed_name, version)
        select distinct on (move.corp_id, move.present) move.corp_id, move.present, s.sealed_name, 0
        from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
            as move (corp_id, former, until, present)
        join staff s on (s.corp_id, s.userid) = (move.corp_id, move.former)
        order by move.corp_id, move.present, move.until desc
        on conflict do nothing
        """,
        *_columns(moves),
    )


async def said_of(connection: Connection, members: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """(corp, userid) that alerts were stated for which lie under these members now, and are known to have moved."""
    rows = await connection.fetch(
        """
        select distinct corp_id, said_userid
        from alerts
        where (corp_id, userid) in (select * from unnest($1::text[], $2::text[]))
          and said_userid is not null
        """,
        [corp_id for corp_id, _ in members],
        [userid for _, userid in members],
    )
    return {(row["corp_id"], row["said_userid"]) for row in rows}


async def move_alerts(connection: Connection, moves: Sequence[Move], seconds: float) -> Sequence[Row]:
    """All but those inside a message that is being sent; returns (corp, userid) of the unsent ones that moved.

    Whom an alert was stated for decides, not whom it lies under: renames come in any order, and a userid that became
    free is taken by somebody else. `seconds`: how much later than the rename something may have happened that is told
    under the former userid.
    """
    rows: Sequence[Row] = await connection.fetch(
        """
        with move as (
            select *
            from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
                as t (corp_id, former, until, present)
        ),
        stated as (
            select corp_id, alert_id, at, userid, userid as said_userid
            from alerts
            where (corp_id, userid) in (select corp_id, former from move)
              and said_userid is null
              and not (status = 'OPEN' and message_id is not null)
            union all
            select corp_id, alert_id, at, userid, said_userid
            from alerts
            where (corp_id, said_userid) in (select corp_id, former from move)
              and not (status = 'OPEN' and message_id is not null)
        ),
        moved as (
            -- The earliest rename that an alert is not later than is its own.
            select s.corp_id, s.alert_id, s.said_userid, own.present
            from stated s
            cross join lateral (
                select present
                from move
                where (move.corp_id, move.former) = (s.corp_id, s.said_userid)
                  and s.at <= move.until + make_interval(secs => $5)
                order by move.until
                limit 1
            ) own
            where own.present <> s.userid
        ),
        held as (
            select a.corp_id, a.alert_id
            from alerts a
            where (a.corp_id, a.alert_id) in (select corp_id, alert_id from moved)
              and not (a.status = 'OPEN' and a.message_id is not null)
            order by a.corp_id, a.alert_id
            for update of a
        ),
        done as (
            update alerts a
            set userid = moved.present, said_userid = moved.said_userid
            from moved
            join held using (corp_id, alert_id)
            where (a.corp_id, a.alert_id) = (moved.corp_id, moved.alert_id)
            returning a.corp_id, a.userid, a.status
        )
        select distinct corp_id, userid
        from done
        where status in ('OPEN', 'WAITING')
        """,
        *_columns(moves),
        seconds,
    )
    return rows


def _columns(moves: Sequence[Move]) -> tuple[list[str], list[str], list[datetime], list[str]]:
    return (
        [move.corp_id for move in moves],
        [move.former for move in moves],
        [move.until for move in moves],
        [move.present for move in moves],
    )
