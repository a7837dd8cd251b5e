"""The only reader of externalcontact/get: a contact's name and unionid, asked for by due row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from bihuan.common.v1.identifier_pb2 import Identifier

from chassis import scheduled
from chassis.kernel.identifiers import Identifiers
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from identity.app import facts
from identity.app.people import Observation, observe
from identity.db import contacts as db
from identity.db import relations

KIND = "contact_read"
PATIENCE = timedelta(seconds=2)
# The age of a link whose contact we never saw added: it counts after all others.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class ContactBook(Protocol):
    async def read(self, corp_id: str, external_userid: str) -> dict[str, Any]:
        """The `external_contact` object. Raises WeComError or WeComAway."""
        ...


async def ask(tx: Tx, contacts: Iterable[tuple[str, str]]) -> None:
    """Schedules a reading of each (corp, contact id)."""
    now = datetime.now(UTC)
    await scheduled.schedule_again(
        tx.connection, KIND, [scheduled.Job(corp_id, contact_id, now) for corp_id, contact_id in contacts]
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """A contact to read, and what came of it: its details, or why not (`again`: worth another try)."""

    claim: scheduled.Claim
    sealed_id: bytes
    began: datetime | None = None
    contact: dict[str, Any] | None = None
    failure: str = ""
    again: bool = False


class ContactReads:
    """Performs the readings (chassis.effects.EffectHandler)."""

    def __init__(self, outbox: Outbox, book: ContactBook, sealer: Sealer, identifiers: Identifiers) -> None:
        self._outbox, self._book, self._sealer, self._identifiers = outbox, book, sealer, identifiers

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> list[Reading]:
        async with self._outbox.pool.acquire() as connection:
            sealed = await db.sealed_ids(connection, [(claim.corp_id, claim.key) for claim in claims])
        return [
            Reading(claim, sealed[claim.corp_id, claim.key]) for claim in claims if (claim.corp_id, claim.key) in sealed
        ]

    async def call(self, item: Reading) -> Reading:
        corp_id, began = item.claim.corp_id, datetime.now(UTC)
        try:
            contact = await self._book.read(corp_id, self._sealer.open(corp_id, item.sealed_id))
            if not isinstance(contact.get("name"), str):
                return replace(item, failure="no name in the answer")
            return replace(item, began=began, contact=contact)
        except WeComAway:
            return replace(item, again=True)
        except WeComError as error:
            log.warning("contact_unreadable", corp_id=corp_id, errcode=error.errcode)
            return replace(item, failure=f"errcode {error.errcode}", again=error.passing)

    async def settle(self, outcomes: Sequence[Reading]) -> None:
        now = datetime.now(UTC)
        read = [item for item in outcomes if item.contact is not None]
        async with self._outbox.transaction() as tx:
            # The link is as old as the first add, whenever it was read: who is one person must not depend on when
            # WeCom answered. An earlier add that comes late asks for another reading.
            firsts = await relations.first_added(tx.connection, [(r.claim.corp_id, r.claim.key) for r in read])
            await observe(tx, [self._observation(item, firsts) for item in read], "externalcontact/get")
            rows = []
            for item in read:
                assert item.began is not None and item.contact is not None
                corp_id, contact_id = item.claim.corp_id, item.claim.key
                sealed_name = self._sealer.seal(corp_id, item.contact["name"])
                fact = facts.contact_read(corp_id, contact_id, item.sealed_id, sealed_name, item.began)
                rows.append((corp_id, contact_id, sealed_name, fact.version))
                tx.publish(fact, corp_id=corp_id)
            await db.save(tx.connection, rows)
            await scheduled.finish(
                tx.connection, KIND, [(item.claim, item.failure or "read") for item in outcomes if not item.again]
            )
            await scheduled.postpone(
                tx.connection,
                KIND,
                [(item.claim, now + PATIENCE * min(item.claim.attempts, 30)) for item in outcomes if item.again],
            )

    def _observation(self, item: Reading, firsts: Mapping[tuple[str, str], datetime]) -> Observation:
        assert item.began is not None and item.contact is not None
        corp_id = item.claim.corp_id
        identifiers = [Identifier(kind="external_userid", id=item.claim.key, sealed=item.sealed_id)]
        # Without an open-platform binding there is no unionid; it may appear later.
        unionid = self._identifiers.name(corp_id, "unionid", str(item.contact.get("unionid") or ""))
        if unionid is not None:
            identifiers.append(Identifier(kind=unionid.kind, id=unionid.id, sealed=unionid.sealed))
        first_added = firsts.get((corp_id, item.claim.key))
        return Observation(corp_id, tuple(identifiers), first_added or NEVER, first_added or item.began)
