"""Names are found by keyed hashes of their beginnings: who reads the tables learns which names begin alike, and no
letter of them."""

from __future__ import annotations

from chassis import paging
from chassis.errors import Invalid
from chassis.kernel.identifiers import Identifiers
from chassis.logs import log
from chassis.outbox import Outbox
from chassis.sealing import Sealer
from identity.db import name_prefixes as db
from identity.domain.names import MOST_CHARACTERS, folded, prefixes

KIND = "name-prefix"
CAUGHT_UP_AT_ONCE = 500


class NamePrefixes:
    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers

    def of(self, corp_id: str, name: str) -> list[str]:
        """Ids of all beginnings of a name."""
        return [self._identifiers.id_of(corp_id, KIND, one) for one in prefixes(name)]

    def asked(self, corp_id: str, text: str) -> str:
        """The id of what names shall begin with. Raises Invalid for none, and for too much."""
        prefix = paging.text(folded(text), "name", most=MOST_CHARACTERS)
        return self._identifiers.id_of(corp_id, KIND, prefix)


class CatchingUp:
    """Finds the beginnings of names that a replica of the release before wrote: it writes none."""

    def __init__(self, outbox: Outbox, sealer: Sealer, names: NamePrefixes) -> None:
        self._outbox, self._sealer, self._names = outbox, sealer, names

    async def work(self) -> int:
        """Returns how many names; 0 when none is left."""
        async with self._outbox.transaction() as tx:
            contacts = await db.unprefixed_contacts(tx.connection, CAUGHT_UP_AT_ONCE)
            await db.save_contacts(
                tx.connection,
                [(row["corp_id"], row["contact_id"], self._of(row["corp_id"], row["sealed_name"])) for row in contacts],
            )
        async with self._outbox.transaction() as tx:
            members = await db.unprefixed_staff(tx.connection, CAUGHT_UP_AT_ONCE)
            await db.save_staff(
                tx.connection,
                [(row["corp_id"], row["userid"], self._of(row["corp_id"], row["sealed_name"])) for row in members],
            )
        return len(contacts) + len(members)

    def _of(self, corp_id: str, sealed_name: bytes) -> list[str]:
        try:
            return self._names.of(corp_id, self._sealer.open(corp_id, sealed_name)) if sealed_name else []
        except Invalid as error:  # whom nobody can read, nobody finds either
            log.error("name_unreadable", corp_id=corp_id, reason=error.reason)
            return []
