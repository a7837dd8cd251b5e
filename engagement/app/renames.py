"""A member is known under another userid: their welcomes, name and alerts move, and move again a little later, for
what was on its way under the former one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from chassis import scheduled
from chassis.kernel.renames import Rename, known_as, mark_followed, onward, remember, unfollowed
from chassis.outbox import Outbox, Tx
from engagement.app.alerts import make_due
from engagement.db import renames as db
from engagement.domain.alerts import TOLD_LATE

KIND = "staff_rename"
# By then every transaction that began before the rename was known has ended.
AGAIN = timedelta(seconds=15)
FOLLOWED_AT_ONCE = 500


async def rename(tx: Tx, renames: Iterable[tuple[str, Rename]]) -> None:
    """Pairs of corp and rename."""
    renames = list(renames)
    await remember(tx.connection, renames)
    formers = sorted({(corp_id, one.former_userid) for corp_id, one in renames})
    await _move(tx, formers)
    await mark_followed(tx.connection, formers)
    again_at = datetime.now(UTC) + AGAIN
    jobs = [scheduled.Job(corp_id, former, again_at) for corp_id, former in formers]
    await scheduled.schedule_again(tx.connection, KIND, jobs)


async def catch_up(outbox: Outbox) -> int:
    """Follows the renames that a replica of the release before took; returns of how many members."""
    now = datetime.now(UTC)
    async with outbox.transaction() as tx:
        formers = await unfollowed(tx.connection, FOLLOWED_AT_ONCE)
        await mark_followed(tx.connection, formers)
        jobs = [scheduled.Job(corp_id, former, now) for corp_id, former in formers]
        await scheduled.schedule_again(tx.connection, KIND, jobs)
    return len(formers)


class Renaming:
    """Moves once more (chassis.effects.OneByOne)."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def perform(self, claim: scheduled.Claim) -> None:
        async with self._outbox.transaction() as tx:
            await _move(tx, [(claim.corp_id, claim.key)])
            await scheduled.finish(tx.connection, KIND, [(claim, "moved")])


async def _move(tx: Tx, formers: Sequence[tuple[str, str]]) -> None:
    """What is kept under these userids, (corp, userid), to whoever they became."""
    said = sorted({*formers, *await db.said_of(tx.connection, formers)})
    known = await onward(tx.connection, said)
    moves = [
        db.Move(corp_id, former, one.at, known_as(former, one.at, known[corp_id]))
        for corp_id, former in said
        for one in sorted(known.get(corp_id, ()))
        if one.former_userid == former
    ]
    if not moves:
        return
    away = [move for move in moves if move.present != move.former and (move.corp_id, move.former) in formers]
    await db.move_welcomes(tx.connection, away)
    await db.copy_names(tx.connection, away)
    unsent = await db.move_alerts(tx.connection, moves, TOLD_LATE.total_seconds())
    await make_due(tx, {(row["corp_id"], row["userid"]) for row in unsent}, datetime.now(UTC))
