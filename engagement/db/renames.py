"""What is kept under a userid moves when its member is renamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chassis.pool import Connection, Row

MOVE_WELCOMES = Path(__file__).with_name("move_welcomes.sql").read_text()
MOVE_ALERTS = Path(__file__).with_name("move_alerts.sql").read_text()


@dataclass(frozen=True, slots=True)
class Move:
    """What was said of `former` up to `until`, and after the move before, is of `present`."""

    corp_id: str
    former: str
    until: datetime
    present: str


async def move_welcomes(connection: Connection, moves: Sequence[Move]) -> None:
    """Of every status: lists show them to whom they are kept under."""
    await connection.execute(MOVE_WELCOMES, *_columns(moves))


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
    rows: Sequence[Row] = await connection.fetch(MOVE_ALERTS, *_columns(moves), seconds)
    return rows


def _columns(moves: Sequence[Move]) -> tuple[list[str], list[str], list[datetime], list[str]]:
    return (
        [move.corp_id for move in moves],
        [move.former for move in moves],
        [move.until for move in moves],
        [move.present for move in moves],
    )
