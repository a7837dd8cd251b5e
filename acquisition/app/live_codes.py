"""Live codes: our row first, then WeCom's contact way, found again after a crash by its state."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from uuid_utils import uuid7

from acquisition.db import channels, contact_ways
from acquisition.db import live_codes as db
from chassis import scheduled
from chassis.errors import Conflict, Invalid, NotFound
from chassis.kernel.changes import publish_changed
from chassis.kernel.renames import Rename, known_as, onward
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.paging import text
from chassis.pool import Row
from chassis.wecom.client import WeComAway, WeComError

KIND = "contact_way"
# Tells WeCom what has changed of a contact way that it has made.
UPDATE_KIND = "contact_way_update"
NOUN = "live-codes"
MOST_NAME = 30
MOST_USERS = 100
# WeCom allows 30; 24 letters and digits are 142 bits that nobody guesses.
STATE_CHARACTERS = 24
PATIENCE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class ContactWay:
    config_id: str
    # Empty for a contact way that somebody made elsewhere without one.
    state: str
    qr_code: str


class ContactWays(Protocol):
    """Raise WeComError or WeComAway."""

    async def list_since(self, corp_id: str, since: datetime) -> Sequence[str]:
        """The config ids of all that were made since."""
        ...

    async def read(self, corp_id: str, config_id: str) -> ContactWay | None:
        """None for one that was deleted since it was listed."""
        ...

    async def make(self, corp_id: str, remark: str, state: str, userids: Sequence[str]) -> ContactWay: ...

    async def update(self, corp_id: str, config_id: str, remark: str, userids: Sequence[str]) -> None:
        """The code that is printed stays as it is."""
        ...


async def rename(tx: Tx, renames: Iterable[tuple[str, Rename]]) -> None:
    """Moves live codes, with (corp, rename), to the present userids of their members. WeCom does so by itself."""
    rows = await db.lock_of_members(tx.connection, sorted({(corp_id, one.former_userid) for corp_id, one in renames}))
    if not rows:
        return
    known = await onward(tx.connection, [(row["corp_id"], userid) for row in rows for userid in row["given"]])
    for row in rows:
        of_corp = known.get(row["corp_id"], ())

        def present(userids: Sequence[str], row: Row = row, of_corp: Sequence[Rename] = of_corp) -> list[str]:
            return list(dict.fromkeys(known_as(userid, row["given_at"], of_corp) for userid in userids))

        if present(row["given"]) != row["userids"]:
            told = row["told_userids"]
            await db.set_members(
                tx.connection,
                row["corp_id"],
                row["live_code_id"],
                row["given"],
                present(row["given"]),
                None if told is None else present(told),
            )


def is_told_otherwise(row: Row) -> bool:
    """Whether WeCom has not taken the code's name and members as they are now."""
    told = (row["told_name"] or row["name"], row["told_userids"] or row["userids"])
    return row["config_id"] is not None and told != (row["name"], row["userids"])


async def _update_if_told_otherwise(tx: Tx, row: Row) -> None:
    if is_told_otherwise(row):
        job = scheduled.Job(row["corp_id"], row["live_code_id"], datetime.now(UTC))
        await scheduled.schedule_again(tx.connection, UPDATE_KIND, [job])


def _members(userids: Sequence[str]) -> list[str]:
    members = list(dict.fromkeys(userid.strip().lower() for userid in userids))
    if not 1 <= len(members) <= MOST_USERS or not all(members):
        raise Invalid("USERIDS_WRONG", field="userids", expected=f"1 to {MOST_USERS} userids")
    return members


class LiveCodes:
    def __init__(self, outbox: Outbox, ways: ContactWays) -> None:
        self._outbox, self._ways = outbox, ways

    async def create(self, tx: Tx, corp_id: str, channel_id: str, name: str, userids: Sequence[str]) -> Row:
        """The code, still PENDING. Raises Invalid or NotFound."""
        name, members = text(name, "name", most=MOST_NAME), _members(userids)
        alphabet = string.ascii_letters + string.digits
        state = "".join(secrets.choice(alphabet) for _ in range(STATE_CHARACTERS))
        channel = await channels.get(tx.connection, corp_id, channel_id)
        if channel is None:
            raise NotFound("CHANNEL_NOT_FOUND", field="channelId")
        if channel["archived_at"] is not None:
            raise Conflict("CHANNEL_ARCHIVED", field="channelId", expected="a channel in use")
        row = await db.insert(tx.connection, corp_id, str(uuid7()), channel_id, name, members, state)
        await scheduled.schedule_once(
            tx.connection, KIND, [scheduled.Job(corp_id, row["live_code_id"], datetime.now(UTC))]
        )
        publish_changed(tx, corp_id, NOUN, [row["live_code_id"]])
        return row

    async def update(
        self, corp_id: str, live_code_id: str, revision: int | None, name: str | None, userids: Sequence[str]
    ) -> Row:
        """Changes the name, when given, and the members, when there are any. Raises Invalid, NotFound, or Conflict when
        somebody else changed the code since `revision`."""
        wanted_name = None if name is None else text(name, "name", most=MOST_NAME)
        wanted_members = _members(userids) if userids else None
        async with self._changing(corp_id, live_code_id, revision) as (tx, row):
            name = wanted_name or row["name"]
            members = wanted_members or row["userids"]
            if (name, members) == (row["name"], row["userids"]):
                return row
            changed = await db.change(
                tx.connection, corp_id, live_code_id, name=name, userids=members, members=members != row["userids"]
            )
            await _update_if_told_otherwise(tx, changed)
            if row["config_id"] is None and row["failure"] is not None:
                job = scheduled.Job(corp_id, live_code_id, datetime.now(UTC))
                await scheduled.schedule_again(tx.connection, KIND, [job])
            publish_changed(tx, corp_id, NOUN, [live_code_id])
            return changed

    async def pause(self, corp_id: str, live_code_id: str, *, archive: bool = False) -> Row:
        """Raises NotFound."""
        async with self._changing(corp_id, live_code_id) as (tx, row):
            if row["paused_at"] and (row["archived_at"] or not archive):
                return row
            publish_changed(tx, corp_id, NOUN, [live_code_id])
            return await db.pause(tx.connection, corp_id, live_code_id, archive=archive)

    async def resume(self, corp_id: str, live_code_id: str) -> Row:
        """Raises NotFound; Conflict while it is archived."""
        async with self._changing(corp_id, live_code_id) as (tx, row):
            if row["archived_at"]:
                raise Conflict("LIVE_CODE_ARCHIVED", field="liveCodeId", expected="a code that is not archived")
            if not row["paused_at"]:
                return row
            publish_changed(tx, corp_id, NOUN, [live_code_id])
            return await db.resume(tx.connection, corp_id, live_code_id)

    async def restore(self, corp_id: str, live_code_id: str) -> Row:
        """Raises NotFound."""
        async with self._changing(corp_id, live_code_id) as (tx, row):
            if not row["archived_at"]:
                return row
            publish_changed(tx, corp_id, NOUN, [live_code_id])
            return await db.restore(tx.connection, corp_id, live_code_id)

    @asynccontextmanager
    async def _changing(
        self, corp_id: str, live_code_id: str, revision: int | None = None
    ) -> AsyncIterator[tuple[Tx, Row]]:
        """A transaction that holds the code's row."""
        async with self._outbox.transaction() as tx:
            row = await db.lock(tx.connection, corp_id, live_code_id)
            if row is None:
                raise NotFound("LIVE_CODE_NOT_FOUND", field="liveCodeId")
            if revision is not None and revision != row["revision"]:
                raise Conflict("REVISION_PASSED", field="revision", expected=f"{row['revision']}, as it is now")
            yield tx, row

    async def perform(self, claim: scheduled.Claim) -> None:
        """Makes the contact way. After a crash or a lost answer the state tells whether it was made already."""
        async with self._outbox.pool.acquire() as connection:
            row = await db.get(connection, claim.corp_id, claim.key)
        if row is None:
            return
        if row["config_id"] is not None:
            async with self._outbox.transaction() as tx:
                await scheduled.finish(tx.connection, KIND, [(claim, "made before")])
            return
        try:
            async with scheduled.held(self._outbox.pool, KIND, claim):
                way = await self._find_or_make(claim, row)
        except (WeComError, WeComAway) as error:
            async with self._outbox.transaction() as tx:
                if isinstance(error, WeComError) and not error.passing:
                    await self._refused(tx, claim, row, error)
                else:
                    later = datetime.now(UTC) + PATIENCE * min(claim.attempts, 30)
                    await scheduled.postpone(tx.connection, KIND, [(claim, later)])
            return
        if way is None:
            log.warning("contact_way_left_to_others", corp_id=claim.corp_id)
            return
        async with self._outbox.transaction() as tx:
            await _update_if_told_otherwise(tx, await contact_ways.made(tx.connection, row, way.config_id, way.qr_code))
            await scheduled.finish(tx.connection, KIND, [(claim, "made")])
            publish_changed(tx, claim.corp_id, NOUN, [claim.key])

    async def _refused(self, tx: Tx, claim: scheduled.Claim, tried: Row, error: WeComError) -> None:
        """Whoever changed the code meanwhile gets another try."""
        now = await db.lock(tx.connection, claim.corp_id, claim.key)
        if now is not None and now["revision"] != tried["revision"]:
            await scheduled.postpone(tx.connection, KIND, [(claim, datetime.now(UTC))])
            return
        await contact_ways.failed(tx.connection, claim.corp_id, claim.key, str(error))
        await scheduled.finish(tx.connection, KIND, [(claim, f"errcode {error.errcode}")])
        publish_changed(tx, claim.corp_id, NOUN, [claim.key])

    async def perform_update(self, claim: scheduled.Claim) -> None:
        """Tells WeCom the code's name and members as they are now. To tell them twice changes nothing."""
        async with self._outbox.pool.acquire() as connection:
            row = await db.get(connection, claim.corp_id, claim.key)
        if row is None or row["config_id"] is None:
            return None
        failure = None
        try:
            await self._ways.update(claim.corp_id, row["config_id"], row["name"], row["userids"])
        except WeComError as error:
            if error.passing:
                return await self._later(claim)
            failure = error
        except WeComAway:
            return await self._later(claim)
        async with self._outbox.transaction() as tx:
            if failure is None:
                await contact_ways.told(tx.connection, claim.corp_id, claim.key, row["name"], row["userids"])
            else:
                await contact_ways.refused(tx.connection, claim.corp_id, claim.key, str(failure))
            outcome = "told" if failure is None else f"errcode {failure.errcode}"
            await scheduled.finish(tx.connection, UPDATE_KIND, [(claim, outcome)])
            publish_changed(tx, claim.corp_id, NOUN, [claim.key])
        return None

    async def _later(self, claim: scheduled.Claim) -> None:
        later = datetime.now(UTC) + PATIENCE * min(claim.attempts, 30)
        async with self._outbox.transaction() as tx:
            await scheduled.postpone(tx.connection, UPDATE_KIND, [(claim, later)])

    async def _find_or_make(self, claim: scheduled.Claim, row: Row) -> ContactWay | None:
        """None when the claim was lost meanwhile: whoever has it now looks and makes."""
        clock = asyncio.get_running_loop().time
        if claim.attempts > 1:
            found = await self._find(row)
            if found is not None:
                return found
        asked_at = clock()
        async with self._outbox.pool.acquire() as connection:
            ours = await contact_ways.hold_claim(connection, KIND, claim, scheduled.LEASE_SECONDS)
        # Nobody else may begin before our call has ended.
        if not ours or clock() > asked_at + scheduled.LEASE_SECONDS - scheduled.CALL_SECONDS:
            return None
        return await self._ways.make(claim.corp_id, row["name"], row["state"], row["userids"])

    async def _find(self, row: Row) -> ContactWay | None:
        """Looks through the contact ways made since the code was, but for those that are other codes'."""
        listed = await self._ways.list_since(row["corp_id"], row["created_at"])
        async with self._outbox.pool.acquire() as connection:
            known = await contact_ways.known_config_ids(connection, row["corp_id"], listed)
        for config_id in listed:
            if config_id not in known:
                way = await self._ways.read(row["corp_id"], config_id)
                if way is not None and way.state == row["state"]:
                    return way
        return None
