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


async def move_alerts(connection: Connection, moves: Sequence[Move], seconds: float) -> Sequence[Row]:
    """All but those inside a message that is being sent; returns (corp, userid) of the unsent ones.

    `seconds`: how much later than the rename something may have happened that is told under the former userid.
    """
    rows: Sequence[Row] = await connection.fetch(
        """
        with moved as (
            -- The earliest rename that an alert is not later than is its own.
            select a.corp_id, a.alert_id, (
                select move.present
                from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
                    as move (corp_id, former, until, present)
                where (move.corp_id, move.former) = (a.corp_id, a.userid)
                  and a.at <= move.until + make_interval(secs => $5)
                order by move.until
                limit 1
            ) as present
            from alerts a
            where (a.corp_id, a.userid) in (select distinct * from unnest($1::text[], $2::text[]))
              and not (a.status = 'OPEN' and a.message_id is not null)
            order by a.corp_id, a.alert_id
            for update of a
        ),
        done as (
            update alerts a
            set userid = moved.present
            from moved
            where (a.corp_id, a.alert_id) = (moved.corp_id, moved.alert_id) and moved.present is not null
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
