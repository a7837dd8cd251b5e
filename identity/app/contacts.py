"""The only reader of externalcontact/get: a contact's name and unionid, asked for by due row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from bihuan.common.v1.identifier_pb2 import Identifier
from bihuan.identity.v1 import facts_pb2
from bihuan.identity.v1.facts_pb2 import ContactRead

from chassis import scheduled
from chassis.kernel.identifiers import Identifiers
from chassis.logs import log
from chassis.moments import stamp
from chassis.outbox import Outbox, Tx
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from identity.app import relations
from identity.app.changes import tell_customers
from identity.app.customers import Observation, observe
from identity.app.names import NamePrefixes
from identity.db import contacts as db
from identity.db import relations as relations_db
from identity.domain.contacts import Contact, Follow, read

KIND = "contact_read"
PATIENCE = timedelta(seconds=2)
# When a contact was added whose add we never saw: its links come after all others.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class ContactBook(Protocol):
    async def read(self, corp_id: str, external_userid: str) -> Mapping[str, Any]:
        """WeCom's whole answer, all pages of `follow_user` in one. Raises WeComError or WeComAway."""
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
    contact: Contact | None = None
    failure: str = ""
    again: bool = False

    @property
    def follows(self) -> Sequence[Follow]:
        return self.contact.follows if self.contact is not None else ()


class ContactReads:
    """Performs the readings (chassis.effects.EffectHandler)."""

    def __init__(self, outbox: Outbox, book: ContactBook, sealer: Sealer, identifiers: Identifiers) -> None:
        self._outbox, self._book, self._sealer, self._identifiers = outbox, book, sealer, identifiers
        self._names = NamePrefixes(identifiers)

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> list[Reading]:
        async with self._outbox.pool.acquire() as connection:
            sealed = await db.sealed_ids(connection, [(claim.corp_id, claim.key) for claim in claims])
        return [
            Reading(claim, sealed[claim.corp_id, claim.key]) for claim in claims if (claim.corp_id, claim.key) in sealed
        ]

    async def call(self, item: Reading) -> Reading:
        corp_id, began = item.claim.corp_id, datetime.now(UTC)
        try:
            answer = await self._book.read(corp_id, self._sealer.open(corp_id, item.sealed_id))
            return replace(item, began=began, contact=read(answer))
        except ValueError as error:
            return replace(item, failure=str(error))
        except WeComAway:
            return replace(item, again=True)
        except WeComError as error:
            log.warning("contact_unreadable", corp_id=corp_id, errcode=error.errcode)
            return replace(item, failure=f"errcode {error.errcode}", again=error.passing)

    async def settle(self, outcomes: Sequence[Reading]) -> None:
        now = datetime.now(UTC)
        found = [item for item in outcomes if item.contact is not None]
        async with self._outbox.transaction() as tx:
            adds = await relations_db.adds_of(tx.connection, [(i.claim.corp_id, i.claim.key) for i in found])
            await relations.describe(tx, adds, {(i.claim.corp_id, i.claim.key): i.follows for i in found})
            # A link is as old as the first add, whenever it was read: who is one person must not depend on when WeCom
            # answered. An earlier add that comes late asks for another reading.
            firsts: dict[tuple[str, str], datetime] = {}
            for add in adds:
                key = (add.corp_id, add.contact_id)
                firsts[key] = min(firsts.get(key, add.event.at), add.event.at)
            await observe(tx, [self._observation(item, firsts) for item in found], "externalcontact/get")
            await self._save(tx, found)
            await tell_customers(tx, [(item.claim.corp_id, item.claim.key) for item in found])
            await scheduled.finish(
                tx.connection, KIND, [(item.claim, item.failure or "read") for item in outcomes if not item.again]
            )
            await scheduled.postpone(
                tx.connection,
                KIND,
                [(item.claim, now + PATIENCE * min(item.claim.attempts, 30)) for item in outcomes if item.again],
            )

    async def _save(self, tx: Tx, found: Sequence[Reading]) -> None:
        rows = []
        for item in found:
            fact = self._fact(item)
            assert item.contact is not None
            rows.append(
                {
                    "corp_id": item.claim.corp_id,
                    "contact_id": item.claim.key,
                    "sealed_name": fact.sealed_name,
                    "name_prefix_ids": self._names.of(item.claim.corp_id, item.contact.name),
                    "prefixed_version": fact.version,
                    "version": fact.version,
                }
            )
            tx.publish(fact, corp_id=item.claim.corp_id)
        await db.CONTACTS.save(tx.connection, rows)

    def _observation(self, item: Reading, firsts: Mapping[tuple[str, str], datetime]) -> Observation:
        assert item.began is not None and item.contact is not None
        corp_id, contact = item.claim.corp_id, item.contact
        identifiers = [Identifier(kind="external_userid", id=item.claim.key, sealed=item.sealed_id)]
        # Without an open-platform binding there is no unionid; it may appear later.
        unionid = self._identifier(corp_id, "unionid", contact.unionid)
        if unionid is not None:
            identifiers.append(unionid)
        first_added = firsts.get((corp_id, item.claim.key))
        first_seen = min((at for at in (first_added, contact.first_followed) if at is not None), default=item.began)
        # One reading of a contact is the same evidence as the next.
        fact_id = f"contact/{item.claim.key}"
        return Observation(corp_id, tuple(identifiers), first_added or NEVER, first_seen, fact_id)

    def _fact(self, item: Reading) -> ContactRead:
        assert item.began is not None and item.contact is not None
        corp_id, contact = item.claim.corp_id, item.contact
        return ContactRead(
            corp_id=corp_id,
            contact=Identifier(kind="external_userid", id=item.claim.key, sealed=item.sealed_id),
            sealed_name=self._sealer.seal(corp_id, contact.name),
            version=int(item.began.timestamp() * 1_000_000),
            type=contact.type,
            gender=contact.gender,
            sealed_avatar_url=self._sealed(corp_id, contact.avatar_url),
            sealed_corp_name=self._sealed(corp_id, contact.corp_name),
            sealed_position=self._sealed(corp_id, contact.position),
            unionid=self._identifier(corp_id, "unionid", contact.unionid),
            follows=[self._follow(corp_id, follow) for follow in contact.follows],
        )

    def _follow(self, corp_id: str, follow: Follow) -> facts_pb2.Follow:
        # What a member typed is no evidence: these phones are identifiers, and link nobody.
        mobiles = [self._identifier(corp_id, "phone", mobile) for mobile in follow.remark_mobiles]
        return facts_pb2.Follow(
            userid=follow.userid,
            added_at=stamp(follow.added_at),
            sealed_remark=self._sealed(corp_id, follow.remark),
            sealed_description=self._sealed(corp_id, follow.description),
            sealed_remark_corp_name=self._sealed(corp_id, follow.remark_corp_name),
            remark_mobiles=[mobile for mobile in mobiles if mobile is not None],
            tags=[
                facts_pb2.FollowTag(tag_id=tag.tag_id, group_name=tag.group_name, name=tag.name, type=tag.type)
                for tag in follow.tags
            ],
            add_way=follow.add_way,
            state=follow.state,
        )

    def _sealed(self, corp_id: str, text: str) -> bytes:
        return self._sealer.seal(corp_id, text) if text else b""

    def _identifier(self, corp_id: str, kind: str, value: str) -> Identifier | None:
        """None when the value names nobody."""
        name = self._identifiers.name(corp_id, kind, value)
        return Identifier(kind=name.kind, id=name.id, sealed=name.sealed, scope=name.scope) if name else None
