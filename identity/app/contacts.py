"""The only reader of externalcontact/get: a contact's name and unionid, asked for by due row."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from chassis import due
from chassis.errors import Invalid
from chassis.identifiers import Identifiers
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from identity.app import facts
from identity.app.people import Named, Observation, observe
from identity.store import contacts as store

KIND = "contact_read"
PATIENCE = timedelta(seconds=2)


class ContactBook(Protocol):
    async def read(self, corp_id: str, external_userid: str) -> dict[str, Any]:
        """The `external_contact` object. Raises WeComError or WeComAway."""
        ...


async def ask(tx: Tx, contacts: Iterable[tuple[str, str]]) -> None:
    """Schedules a reading of each (corp, contact id)."""
    now = datetime.now(UTC)
    await due.schedule_again(tx.connection, KIND, [due.Due(corp_id, contact_id, now) for corp_id, contact_id in contacts])


class ContactReads:
    """Performs the readings."""

    def __init__(self, outbox: Outbox, book: ContactBook, sealer: Sealer, identifiers: Identifiers) -> None:
        self._outbox, self._book, self._sealer, self._identifiers = outbox, book, sealer, identifiers

    async def perform(self, claim: due.Claim) -> None:
        sealed_id = await self._sealed_id(claim)
        if sealed_id is None:
            await self._end(claim, "unknown contact")
            return
        began = datetime.now(UTC)
        try:
            contact = await self._book.read(claim.corp_id, self._sealer.open(claim.corp_id, sealed_id))
        except WeComAway:
            await self._later(claim)
        except WeComError as error:
            if error.passing:
                await self._later(claim)
            else:
                log.warning("contact_unreadable", corp_id=claim.corp_id, errcode=error.errcode)
                await self._end(claim, f"errcode {error.errcode}")
        else:
            await self._save(claim, sealed_id, contact, began)

    async def _save(self, claim: due.Claim, sealed_id: bytes, contact: dict[str, Any], began: datetime) -> None:
        corp_id = claim.corp_id
        name = contact.get("name")
        if not isinstance(name, str):
            raise Invalid("CONTACT_WITHOUT_NAME", field="external_contact.name", expected="text")
        sealed_name = self._sealer.seal(corp_id, name)
        names = [Named("external_userid", claim.key, sealed_id)]
        # Without an open-platform binding there is no unionid; it may appear later.
        if contact.get("unionid"):
            unionid = self._identifiers.name(corp_id, "unionid", str(contact["unionid"]))
            if unionid is not None:
                names.append(Named(unionid.kind, unionid.id, unionid.sealed))
        async with self._outbox.transaction() as tx:
            fact = facts.contact_read(corp_id, claim.key, sealed_id, sealed_name, began)
            await observe(tx, [Observation(corp_id, tuple(names), began)], "externalcontact/get")
            await store.save(tx.connection, corp_id, claim.key, sealed_name, fact.version)
            tx.state(fact, corp_id=corp_id)
            await due.finish(tx.connection, KIND, [claim], "read")

    async def _sealed_id(self, claim: due.Claim) -> bytes | None:
        async with self._outbox.pool.acquire() as connection:
            return await store.sealed_id(connection, claim.corp_id, claim.key)

    async def _end(self, claim: due.Claim, outcome: str) -> None:
        async with self._outbox.transaction() as tx:
            await due.finish(tx.connection, KIND, [claim], outcome)

    async def _later(self, claim: due.Claim) -> None:
        async with self._outbox.transaction() as tx:
            await due.postpone(tx.connection, KIND, claim, datetime.now(UTC) + PATIENCE * min(claim.attempts, 30))
