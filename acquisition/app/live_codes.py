"""Live codes: our row first, then WeCom's contact way, found again after a crash by its state."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from uuid_utils import uuid7

from acquisition.db import channels
from acquisition.db import live_codes as db
from chassis import scheduled
from chassis.errors import Invalid, NotFound
from chassis.kernel.renames import Rename, known_as, onward
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.paging import text
from chassis.pool import Row
from chassis.wecom.client import WeComAway, WeComError

KIND = "contact_way"
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


async def rename(tx: Tx, renames: Iterable[tuple[str, Rename]]) -> None:
    """Moves live codes, with (corp, rename), to the present userids of their members. WeCom does so by itself."""
    rows = await db.lock_of_members(tx.connection, sorted({(corp_id, one.former_userid) for corp_id, one in renames}))
    if not rows:
        return
    known = await onward(tx.connection, [(row["corp_id"], userid) for row in rows for userid in row["given"]])
    for row in rows:
        of_corp = known.get(row["corp_id"], ())
        present = list(dict.fromkeys(known_as(userid, row["created_at"], of_corp) for userid in row["given"]))
        if present != row["userids"]:
            await db.set_members(tx.connection, row["corp_id"], row["live_code_id"], row["given"], present)


class LiveCodes:
    def __init__(self, outbox: Outbox, ways: ContactWays) -> None:
        self._outbox, self._ways = outbox, ways

    async def create(self, tx: Tx, corp_id: str, channel_id: str, name: str, userids: Sequence[str]) -> Row:
        """The code, still PENDING. Raises Invalid or NotFound."""
        name = text(name, "name", most=30)
        members = list(dict.fromkeys(userid.strip().lower() for userid in userids))
        if not 1 <= len(members) <= MOST_USERS or not all(members):
            raise Invalid("USERIDS_WRONG", field="userids", expected=f"1 to {MOST_USERS} userids")
        alphabet = string.ascii_letters + string.digits
        state = "".join(secrets.choice(alphabet) for _ in range(STATE_CHARACTERS))
        if await channels.get(tx.connection, corp_id, channel_id) is None:
            raise NotFound("CHANNEL_NOT_FOUND", field="channelId")
        row = await db.insert(tx.connection, corp_id, str(uuid7()), channel_id, name, members, state)
        await scheduled.schedule_once(
            tx.connection, KIND, [scheduled.Job(corp_id, row["live_code_id"], datetime.now(UTC))]
        )
        return row

    async def pause(self, corp_id: str, live_code_id: str) -> Row:
        async with self._outbox.transaction() as tx:
            row = await db.pause(tx.connection, corp_id, live_code_id)
        if row is None:
            raise NotFound("LIVE_CODE_NOT_FOUND", field="liveCodeId")
        return row

    async def perform(self, claim: scheduled.Claim) -> None:
        """Makes the contact way. After a crash or a lost answer the state tells whether it was made already."""
        async with self._outbox.pool.acquire() as connection:
            row = await db.get(connection, claim.corp_id, claim.key)
        if row is None:
            return
        try:
            async with scheduled.held(self._outbox.pool, KIND, claim):
                way = await self._find_or_make(claim, row)
        except (WeComError, WeComAway) as error:
            async with self._outbox.transaction() as tx:
                if isinstance(error, WeComError) and not error.passing:
                    await db.failed(tx.connection, claim.corp_id, claim.key, str(error))
                    await scheduled.finish(tx.connection, KIND, [(claim, f"errcode {error.errcode}")])
                else:
                    later = datetime.now(UTC) + PATIENCE * min(claim.attempts, 30)
                    await scheduled.postpone(tx.connection, KIND, [(claim, later)])
            return
        if way is None:
            log.warning("contact_way_left_to_others", corp_id=claim.corp_id)
            return
        async with self._outbox.transaction() as tx:
            await db.made(tx.connection, claim.corp_id, claim.key, way.config_id, way.qr_code)
            await scheduled.finish(tx.connection, KIND, [(claim, "made")])

    async def _find_or_make(self, claim: scheduled.Claim, row: Row) -> ContactWay | None:
        """None when the claim was lost meanwhile: whoever has it now looks and makes."""
        clock = asyncio.get_running_loop().time
        if claim.attempts > 1:
            found = await self._find(row)
            if found is not None:
                return found
        asked_at = clock()
        async with self._outbox.pool.acquire() as connection:
            ours = await db.hold_claim(connection, KIND, claim, scheduled.LEASE_SECONDS)
        # Nobody else may begin before our call has ended.
        if not ours or clock() > asked_at + scheduled.LEASE_SECONDS - scheduled.CALL_SECONDS:
            return None
        return await self._ways.make(claim.corp_id, row["name"], row["state"], row["userids"])

    async def _find(self, row: Row) -> ContactWay | None:
        """Looks through the contact ways made since the code was, but for those that are other codes'."""
        listed = await self._ways.list_since(row["corp_id"], row["created_at"])
        async with self._outbox.pool.acquire() as connection:
            known = await db.known_config_ids(connection, row["corp_id"], listed)
        for config_id in listed:
            if config_id not in known:
                way = await self._ways.read(row["corp_id"], config_id)
                if way is not None and way.state == row["state"]:
                    return way
        return None
