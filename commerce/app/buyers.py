"""Who a mall's buyer is elsewhere: asked of the mall by due row, stated as BuyerIdentified."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bihuan.commerce.v1.facts_pb2 import BuyerIdentified
from bihuan.common.v1.identifier_pb2 import Identifier
from chassis import due
from chassis.identifiers import Identifiers
from chassis.logs import log
from chassis.outbox import Outbox
from chassis.sealing import Sealer
from commerce.store import buyers as store

KIND = "buyer_query"
PATIENCE = timedelta(seconds=2)


class MallAway(Exception):
    """The mall gave no usable answer; ask again."""


class MallRefused(Exception):
    """The mall answered that it will not tell."""


class BuyerBook(Protocol):
    async def who(self, corp_id: str, mall_id: str, kind: str, value: str) -> Mapping[str, str]:
        """Other names of the buyer, kind → value. Raises MallAway or MallRefused."""
        ...


class BuyerQueries:
    def __init__(self, outbox: Outbox, book: BuyerBook, sealer: Sealer, identifiers: Identifiers) -> None:
        self._outbox, self._book, self._sealer, self._identifiers = outbox, book, sealer, identifiers

    async def perform(self, claim: due.Claim) -> None:
        corp_id = claim.corp_id
        async with self._outbox.pool.acquire() as connection:
            row = await store.get(connection, corp_id, claim.key)
        if row is None:
            return
        try:
            names = await self._book.who(corp_id, row["mall_id"], row["kind"], self._sealer.open(corp_id, row["sealed"]))
        except MallAway as error:
            log.warning("buyer_query_waits", corp_id=corp_id, mall_id=row["mall_id"], error=str(error))
            async with self._outbox.transaction() as tx:
                later = datetime.now(UTC) + PATIENCE * min(claim.attempts, 60)
                await due.postpone(tx.connection, KIND, claim, later)
            return
        except MallRefused as error:
            log.warning("buyer_unknown", corp_id=corp_id, mall_id=row["mall_id"], error=str(error))
            names = {}
        found = [Identifier(kind=row["kind"], id=claim.key, sealed=row["sealed"])]
        for kind, value in sorted(names.items()):
            name = self._identifiers.name(corp_id, kind, value)
            if name is not None and name.id != claim.key:
                found.append(Identifier(kind=name.kind, id=name.id, sealed=name.sealed))
        async with self._outbox.transaction() as tx:
            if len(found) > 1:
                fact = BuyerIdentified(corp_id=corp_id, mall_id=row["mall_id"], identifiers=found, at=datetime.now(UTC))
                tx.state(fact, corp_id=corp_id)
                await store.identified(tx.connection, corp_id, claim.key)
            await due.finish(tx.connection, KIND, [claim], f"{len(found) - 1} other names")
