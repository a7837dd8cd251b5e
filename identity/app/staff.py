"""Staff sync: WeCom's address book is read whole, changes are stated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from chassis import due
from chassis.logs import log
from chassis.outbox import Outbox
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from identity.app import facts
from identity.store import staff as store

KIND = "staff_sync"
PATIENCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Member:
    userid: str
    name: str
    department_ids: tuple[int, ...]


class AddressBook(Protocol):
    async def members(self, corp_id: str) -> list[Member]:
        """All members in the app's visible range. Raises WeComError or WeComAway."""
        ...


class StaffSync:
    def __init__(self, outbox: Outbox, book: AddressBook, sealer: Sealer, every: timedelta) -> None:
        self._outbox, self._book, self._sealer, self._every = outbox, book, sealer, every

    async def schedule(self, corp_ids: Iterable[str]) -> None:
        """At start: every corp now. One row per corp, so that replicas do it once."""
        now = datetime.now(UTC)
        async with self._outbox.transaction() as tx:
            await due.schedule_again(tx.connection, KIND, [due.Due(corp_id, "all", now) for corp_id in corp_ids])

    async def perform(self, claim: due.Claim) -> None:
        try:
            await self.sync(claim.corp_id)
            next_time = datetime.now(UTC) + self._every
        except (WeComError, WeComAway) as error:
            log.warning("staff_sync_failed", corp_id=claim.corp_id, error=str(error))
            next_time = datetime.now(UTC) + PATIENCE
        async with self._outbox.transaction() as tx:
            await due.postpone(tx.connection, KIND, [(claim, next_time)])

    async def sync(self, corp_id: str) -> int:
        """Reads the book and states who is new, changed or gone; returns how many members it has."""
        members = {member.userid: member for member in await self._book.members(corp_id)}
        async with self._outbox.transaction() as tx:
            known = await store.all_of(tx.connection, corp_id)
            rows = []
            for userid, member in members.items():
                row = known.get(userid)
                fingerprint = _fingerprint(corp_id, member)
                if row is not None and row["active"] and row["fingerprint"] == fingerprint:
                    continue
                sealed = self._sealer.seal(corp_id, member.name)
                version = (row["version"] if row else 0) + 1
                rows.append((userid, sealed, fingerprint, list(member.department_ids), True, version))
            for userid, row in known.items():
                if row["active"] and userid not in members:
                    rows.append((userid, row["sealed_name"], "", row["department_ids"], False, row["version"] + 1))
            await store.save(tx.connection, corp_id, rows)
            for userid, sealed, _, departments, active, version in rows:
                tx.state(facts.staff_placed(corp_id, userid, sealed, departments, active, version), corp_id=corp_id)
        log.info("staff_synced", corp_id=corp_id, members=len(members), changed=len(rows))
        return len(members)


def _fingerprint(corp_id: str, member: Member) -> str:
    text = json.dumps([corp_id, member.userid, member.name, sorted(member.department_ids)], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
