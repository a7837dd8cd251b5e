"""Staff: WeCom's address book as we know it, and what members may see. Every change is stated."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from chassis import scheduled
from chassis.errors import Invalid, NotFound, Precondition
from chassis.kernel.identifiers import Identifiers
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.pool import Row
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from identity.app import facts
from identity.app.names import NamePrefixes
from identity.db import access, departments
from identity.db import staff as db
from identity.domain.departments import managed, within

# The whole book, hourly; and single members, when WeCom says that they changed.
BOOK, MEMBER = "staff_sync", "member_read"
PATIENCE = timedelta(seconds=5)
MOST_MANAGED = 100


@dataclass(frozen=True, slots=True)
class Department:
    department_id: int
    parent_id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    userid: str
    name: str
    department_ids: tuple[int, ...]


class AddressBook(Protocol):
    """The members and departments in the app's visible range. Every call raises WeComError or WeComAway."""

    async def departments(self, corp_id: str) -> list[Department]: ...

    async def members(self, corp_id: str, department_ids: Iterable[int]) -> list[Member]: ...

    async def member(self, corp_id: str, userid: str) -> Member | None:
        """None for somebody who is no active member."""
        ...


class Staff:
    def __init__(
        self, outbox: Outbox, book: AddressBook, sealer: Sealer, identifiers: Identifiers, every: timedelta
    ) -> None:
        self._outbox, self._book, self._every = outbox, book, every
        self._sealer, self._identifiers = sealer, identifiers
        self._names = NamePrefixes(identifiers)

    async def schedule(self, corp_ids: Iterable[str]) -> None:
        """At start: every corp now. One row per corp, so that replicas do it once."""
        async with self._outbox.transaction() as tx:
            await ask_for_book(tx, corp_ids)

    async def perform_book(self, claim: scheduled.Claim) -> None:
        try:
            async with scheduled.held(self._outbox.pool, BOOK, claim):  # a large corp's book takes longer than a lease
                await self.read_book(claim.corp_id)
            next_time = datetime.now(UTC) + self._every
        except (WeComError, WeComAway) as error:
            log.warning("staff_sync_failed", corp_id=claim.corp_id, error=str(error))
            next_time = datetime.now(UTC) + PATIENCE
        async with self._outbox.transaction() as tx:
            await scheduled.postpone(tx.connection, BOOK, [(claim, next_time)])

    async def perform_member(self, claim: scheduled.Claim) -> None:
        began = datetime.now(UTC)
        try:
            member = await self._book.member(claim.corp_id, claim.key)
        except (WeComError, WeComAway) as error:
            log.warning("member_read_failed", corp_id=claim.corp_id, error=str(error))
            async with self._outbox.transaction() as tx:
                if isinstance(error, WeComError) and not error.passing:
                    await scheduled.finish(tx.connection, MEMBER, [(claim, f"errcode {error.errcode}")])
                else:
                    await scheduled.postpone(
                        tx.connection, MEMBER, [(claim, began + PATIENCE * min(claim.attempts, 30))]
                    )
            return
        async with self._outbox.transaction() as tx:
            await departments.lock_book(tx.connection, claim.corp_id)
            await self._place(tx, claim.corp_id, {claim.key: member}, began)
            await scheduled.finish(tx.connection, MEMBER, [(claim, "read")])

    async def read_book(self, corp_id: str) -> int:
        """Reads the book and states who is new, changed or gone; returns how many members it has."""
        began = datetime.now(UTC)
        tree = await self._book.departments(corp_id)
        members = {
            member.userid: member for member in await self._book.members(corp_id, [d.department_id for d in tree])
        }
        async with self._outbox.transaction() as tx:
            if await departments.lock_book(tx.connection, corp_id) > began:
                return len(members)  # a later reading has been faster
            rows = [(d.department_id, d.parent_id, d.name) for d in tree]
            await departments.replace(tx.connection, corp_id, rows, began)
            gone = dict.fromkeys(await db.active_userids(tx.connection, corp_id))
            changed = await self._place(tx, corp_id, {**gone, **members}, began)
        log.info("staff_synced", corp_id=corp_id, members=len(members), changed=changed)
        return len(members)

    async def set_role(self, corp_id: str, userid: str, role: str, department_ids: Sequence[int]) -> Row:
        """Raises NotFound for no active member, Invalid for departments that are none, Precondition for the last
        ADMIN."""
        asked = sorted(set(department_ids))
        if (asked and role != "MANAGER") or len(asked) > MOST_MANAGED:
            expected = f"at most {MOST_MANAGED}, and only for ROLE_MANAGER"
            raise Invalid("DEPARTMENTS_WRONG", field="departmentIds", expected=expected)
        async with self._outbox.transaction() as tx:
            await departments.lock_book(tx.connection, corp_id)
            parents = await departments.parents(tx.connection, corp_id)
            if not set(asked) <= set(parents):
                raise Invalid("DEPARTMENTS_WRONG", field="departmentIds", expected="departments of the corp")
            row = (await db.lock(tx.connection, corp_id, [userid])).get(userid)
            if row is None or not row["active"]:
                raise NotFound("STAFF_NOT_FOUND", field="userid", expected="an active member")
            admins = await access.lock_admins(tx.connection, corp_id)
            if role != "ADMIN" and admins == [userid]:
                raise Precondition("LAST_ADMIN", field="userid", expected="another ADMIN, named first")
            await access.set_role(tx.connection, corp_id, userid, role, asked)
            await state(
                tx, corp_id, [{**row, "managed_department_ids": list(managed(role, asked, row["department_ids"]))}]
            )
            return (await db.get(tx.connection, corp_id, [userid]))[0]

    async def _place(self, tx: Tx, corp_id: str, members: Mapping[str, Member | None], read_at: datetime) -> int:
        """Writes and states the members that have changed, where no later reading was faster; None: who has left."""
        known = await db.lock(tx.connection, corp_id, sorted(members))
        parents = await departments.parents(tx.connection, corp_id)
        roles = await access.roles_of(tx.connection, corp_id, sorted(members))
        rows: list[dict[str, Any]] = []
        for userid, member in members.items():
            row = known.get(userid)
            if row is None and member is None:
                continue
            granted = roles.get(userid, access.Granted())
            if row is not None and row["read_at"] > read_at:
                # A later reading has told of the member; of the departments above them perhaps not.
                above = list(within(row["department_ids"], parents))
                if row["active"] and above != row["within_department_ids"]:
                    rows.append({**row, "within_department_ids": above})
                continue
            told: dict[str, Any] = {
                "userid": userid,
                "read_at": read_at,
                "version": row["version"] if row is not None else 0,
            }
            if member is None:
                assert row is not None
                told |= {key: row[key] for key in (*db.NAMED, "department_ids", "within_department_ids")}
                told |= {"active": False, "fingerprint": "", "managed_department_ids": []}
            else:
                own = sorted(set(member.department_ids))
                fingerprint = self._identifiers.id_of(corp_id, "member", json.dumps([userid, member.name, own]))
                told |= (
                    {key: row[key] for key in db.NAMED}
                    if row is not None and row["fingerprint"] == fingerprint
                    else self._named(corp_id, member.name, told["version"])
                )
                told |= {
                    "fingerprint": fingerprint,
                    "department_ids": own,
                    "active": True,
                    "within_department_ids": list(within(own, parents)),
                    "managed_department_ids": list(managed(granted.role, granted.department_ids, own)),
                }
            if row is None or any(row[key] != told[key] for key in db.STATED):
                rows.append(told)
        await state(tx, corp_id, rows)
        return len(rows)

    def _named(self, corp_id: str, name: str, version: int) -> dict[str, Any]:
        return {
            "sealed_name": self._sealer.seal(corp_id, name),
            "name_prefix_ids": self._names.of(corp_id, name),
            "prefixed_version": version,
        }


async def state(tx: Tx, corp_id: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Saves the rows under their next version and states them."""
    next_rows = []
    for row in rows:
        version = int(str(row["version"])) + 1
        # Prefixes that were of the present name still are.
        prefixed = version if row["prefixed_version"] == row["version"] else row["prefixed_version"]
        next_rows.append({**row, "version": version, "prefixed_version": prefixed})
    await db.save(tx.connection, corp_id, next_rows)
    for row in next_rows:
        tx.publish(facts.staff_placed(corp_id, row), corp_id=corp_id)


async def ask_for_book(tx: Tx, corp_ids: Iterable[str]) -> None:
    now = datetime.now(UTC)
    await scheduled.schedule_again(tx.connection, BOOK, [scheduled.Job(corp_id, "all", now) for corp_id in corp_ids])


async def ask_for_members(tx: Tx, members: Iterable[tuple[str, str]]) -> None:
    """Schedules a reading of each (corp, userid)."""
    now = datetime.now(UTC)
    await scheduled.schedule_again(
        tx.connection, MEMBER, [scheduled.Job(corp_id, userid, now) for corp_id, userid in members]
    )
