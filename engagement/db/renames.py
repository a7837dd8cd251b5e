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


async def move_alerts(connection: Connection, moves: Sequence[Move], seconds: float) -> Sequence[Row]:
    """All but those inside a message that is being sent; returns (corp, userid) of the unsent ones.

    `seconds`: how much later than the rename something may have happened that is told under the former userid.
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
