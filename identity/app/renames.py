"""Members who get another userid: what they had under the former one becomes theirs under the new one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chassis import dead_letters, scheduled
from chassis.kernel.renames import Rename, known_as
from chassis.outbox import Outbox, Tx
from identity.app import facts, relations
from identity.app.staff import state
from identity.db import access, departments
from identity.db import relations as relations_db
from identity.db import renames as db
from identity.db import staff as staff_db
from identity.domain.departments import managed

# The name of the durable that takes renames; its dead letters are closed when what they refused turns out right.
DURABLE = "identity-rename-on-address-book-changed"
MOVE = "staff_moved"
# Contacts whose events are moved in one transaction.
MOVED_AT_ONCE = 200
# Looked at again: for transactions that had begun before the rename, and for replicas of the release before, which
# write under the former userid while they run beside this one.
AGAIN = (timedelta(seconds=30), timedelta(minutes=10))
NIL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class RenameNews:
    corp_id: str
    fact_id: str
    rename: Rename
    arrived_at: datetime
    # False: it was refused before, and is looked at once more.
    is_news: bool = True


async def rename(tx: Tx, news: Iterable[RenameNews]) -> list[RenameNews]:
    """Makes the renames count and states them. Returns those that are refused, since somebody else has the new userid;
    of several facts that tell of one rename, each app being told, only the first."""
    refused: dict[tuple[str, str], RenameNews] = {}
    waiting = sorted(news, key=lambda n: (n.corp_id, n.rename, n.fact_id), reverse=True)
    while waiting:
        one = waiting.pop()
        known = await db.offer(tx.connection, one.corp_id, one.rename, one.fact_id)
        if not known["refused"]:
            continue
        if await db.is_taken(tx.connection, one.corp_id, one.rename, one.arrived_at):
            if known["fact_id"] == one.fact_id and one.is_news:
                refused[one.corp_id, one.fact_id] = one
            continue
        await db.accept(tx.connection, one.corp_id, one.rename)
        # The fact that was refused has had its effect after all.
        await dead_letters.close(tx.connection, one.corp_id, DURABLE, [one.fact_id], "RESOLVED")
        refused.pop((one.corp_id, one.fact_id), None)
        await _apply(tx, one)
        waiting += await _refused_before(tx, one)
    return list(refused.values())


async def _refused_before(tx: Tx, news: RenameNews) -> list[RenameNews]:
    """Who had been refused this member's former userid may have it after all."""
    rows = await db.refused_to(tx.connection, news.corp_id, news.rename.former_userid, news.rename.at)
    return [
        RenameNews(
            news.corp_id,
            row["fact_id"],
            Rename(row["at"], row["userid"], row["new_userid"]),
            arrived_at=row["at"],
            is_news=False,
        )
        for row in rows
    ]


async def _apply(tx: Tx, news: RenameNews) -> None:
    corp_id, at, userid = news.corp_id, news.rename.at, news.rename.former_userid
    onward = (await db.chains(tx.connection, [(corp_id, userid)])).get((corp_id, userid), ())
    formers = await db.formers(tx.connection, corp_id, userid, at)
    for one in {news.rename, *formers}:
        present = known_as(one.former_userid, one.at, [*formers, *onward])
        tx.publish(facts.staff_renamed(corp_id, present, one.former_userid, one.at), corp_id=corp_id)
    await _move_place(tx, news, known_as(userid, at, onward))
    await scheduled.schedule_again(tx.connection, MOVE, [scheduled.Job(corp_id, userid, datetime.now(UTC))])


async def _move_place(tx: Tx, news: RenameNews, present: str) -> None:
    """Role and place become those of the present userid, where nothing is known of it yet."""
    corp_id, former = news.corp_id, news.rename.former_userid
    if present == former:
        return
    await departments.lock_book(tx.connection, corp_id)
    rows = await staff_db.lock(tx.connection, corp_id, sorted((former, present)))
    await access.move_role(tx.connection, corp_id, former, present)
    granted = (await access.roles_of(tx.connection, corp_id, [present])).get(present, access.Granted())
    old, new = rows.get(former), rows.get(present)
    placed: list[dict[str, object]] = []
    if new is not None and new["active"]:
        manages = list(managed(granted.role, granted.department_ids, new["department_ids"]))
        if manages != new["managed_department_ids"]:
            placed.append({**new, "managed_department_ids": manages})
    elif old is not None and old["active"]:
        placed.append({**old, "userid": present, "version": new["version"] if new is not None else 0})
    # A reading after the news tells of whoever has the former userid now.
    if old is not None and old["active"] and old["read_at"] < news.arrived_at:
        placed.append({**old, "active": False, "fingerprint": "", "managed_department_ids": []})
    await state(tx, corp_id, placed)
    await staff_db.known_since(tx.connection, corp_id, present, news.rename.at)


class Moving:
    """Moves relations to the present userid of a renamed member (chassis.effects.OneByOne)."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def perform(self, claim: scheduled.Claim) -> None:
        async with scheduled.held(self._outbox.pool, MOVE, claim):
            after: str | None = NIL
            while after is not None:
                after = await self._move_some(claim.corp_id, claim.key, after)
        async with self._outbox.transaction() as tx:
            if claim.attempts <= len(AGAIN):
                later = datetime.now(UTC) + AGAIN[claim.attempts - 1]
                await scheduled.postpone(tx.connection, MOVE, [(claim, later)])
            else:
                await scheduled.finish(tx.connection, MOVE, [(claim, "moved")])

    async def _move_some(self, corp_id: str, userid: str, after: str) -> str | None:
        """Moves the events of some contacts; returns the last of them, or None when there were no more."""
        async with self._outbox.transaction() as tx:
            chain = (await db.chains(tx.connection, [(corp_id, userid)])).get((corp_id, userid), ())
            userids = sorted({userid, *(one.userid for one in chain)})
            events = await relations_db.misplaced_after(tx.connection, corp_id, userids, userid, after, MOVED_AT_ONCE)
            await relations.move(tx, events)
        return events[-1].contact_id if events else None


def refusal(news: RenameNews) -> str:
    return f"{news.rename.userid} is another member: expected a userid that is free"
