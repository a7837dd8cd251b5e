"""A member is known under another userid: their live codes move, and what counts among their adds is decided anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from acquisition.app import live_codes, touches
from acquisition.db import renames as db
from acquisition.db.touches import repeated
from chassis import scheduled
from chassis.kernel.renames import Member, Rename, mark_followed, remember, unfollowed
from chassis.outbox import Outbox, Tx

KIND = "touch_rename"
# By then every transaction that began before the rename was known has ended.
AGAIN = timedelta(seconds=15)
# Contacts that are decided about in one transaction.
DECIDED_AT_ONCE = 200
FOLLOWED_AT_ONCE = 500
NIL = "00000000-0000-0000-0000-000000000000"


async def rename(tx: Tx, renames: Iterable[tuple[str, Rename]]) -> None:
    """Pairs of corp and rename."""
    renames = list(renames)
    await remember(tx.connection, renames)
    await live_codes.rename(tx, renames)
    await _follow(tx, [(corp_id, one.former_userid) for corp_id, one in renames])


async def catch_up(outbox: Outbox) -> int:
    """Follows the renames that a replica of the release before took; returns of how many members."""
    async with outbox.transaction() as tx:
        members = await unfollowed(tx.connection, FOLLOWED_AT_ONCE)
        await _follow(tx, members)
    return len(members)


async def _follow(tx: Tx, members: Sequence[Member]) -> None:
    """Has the adds of these renamed members, (corp, former userid), decided anew."""
    now = datetime.now(UTC)
    await mark_followed(tx.connection, members)
    jobs = [scheduled.Job(corp_id, userid, now) for corp_id, userid in members]
    await scheduled.schedule_again(tx.connection, KIND, jobs)


class Renaming:
    """Decides anew about the adds of a renamed member (chassis.effects.OneByOne), and once more a little later."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def perform(self, claim: scheduled.Claim) -> None:
        async with scheduled.held(self._outbox.pool, KIND, claim):
            after: str | None = NIL
            while after is not None:
                after = await self._decide_some(claim.corp_id, claim.key, after)
        async with self._outbox.transaction() as tx:
            if claim.attempts == 1:
                await scheduled.postpone(tx.connection, KIND, [(claim, datetime.now(UTC) + AGAIN)])
            else:
                await scheduled.finish(tx.connection, KIND, [(claim, "decided")])

    async def _decide_some(self, corp_id: str, userid: str, after: str) -> str | None:
        """Returns the last contact that was looked at, or None when there were no more."""
        async with self._outbox.transaction() as tx:
            userids = await db.of_member(tx.connection, corp_id, userid)
            contacts = await repeated(tx.connection, corp_id, userids, after, DECIDED_AT_ONCE)
            if contacts:
                await touches.decide(tx, contacts)
        return contacts[-1][1] if contacts else None
