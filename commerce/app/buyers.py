"""Who a mall's buyer is elsewhere: asked of the mall by due row, stated as BuyerIdentified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from bihuan.commerce.v1.facts_pb2 import BuyerIdentified
from bihuan.common.v1.identifier_pb2 import Identifier

from chassis import scheduled
from chassis.kernel.identifiers import Identifiers
from chassis.logs import log
from chassis.moments import stamp
from chassis.outbox import Outbox, Tx
from chassis.sealing import Sealer
from commerce.app.order_messages import OrderMessage
from commerce.db import buyers as db

KIND = "buyer_query"
# Corp, mall and kind of name → the scope of such names (chassis.kernel.corps).
ScopeOf = Callable[[str, str, str], str]
# Doubled with every attempt, up to an hour; a mall that never tells is given up after about a day.
PATIENCE = timedelta(seconds=2)
MOST_DOUBLINGS = 11
MOST_ATTEMPTS = 34


class MallAway(Exception):
    """The mall gave no usable answer; ask again."""


class MallRefused(Exception):
    """The mall answered that it will not tell."""


class BuyerBook(Protocol):
    async def who(self, corp_id: str, mall_id: str, kind: str, value: str) -> Mapping[str, str]:
        """Other names of the buyer, kind → value. Raises MallAway or MallRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """A buyer to ask about, and what the mall said: other names, or nothing yet (`again`)."""

    claim: scheduled.Claim
    mall_id: str
    kind: str
    sealed: bytes
    names: Mapping[str, str] = field(default_factory=dict)
    again: bool = False


async def ask(tx: Tx, messages: Iterable[OrderMessage], delay: timedelta) -> None:
    """Buyers nobody has identified yet are looked up at the mall, a little later."""
    unknown = await db.add(
        tx.connection,
        [db.Named(m.key[0], m.buyer.id, m.key[1], m.buyer.kind, m.buyer.sealed) for m in messages if m.buyer],
    )
    when = datetime.now(UTC) + delay
    await scheduled.schedule_again(
        tx.connection,
        KIND,
        [scheduled.Job(corp_id, buyer_id, when) for corp_id, buyer_id in unknown],
    )


class BuyerQueries:
    """Performs the queries (chassis.effects.EffectHandler)."""

    def __init__(
        self,
        outbox: Outbox,
        book: BuyerBook,
        sealer: Sealer,
        identifiers: Identifiers,
        scope_of: ScopeOf = lambda corp_id, mall_id, kind: "",
    ) -> None:
        self._outbox, self._book, self._sealer, self._identifiers = outbox, book, sealer, identifiers
        self._scope_of = scope_of

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> list[Query]:
        async with self._outbox.pool.acquire() as connection:
            rows = await db.get(connection, [(claim.corp_id, claim.key) for claim in claims])
        found = []
        for claim in claims:
            row = rows.get((claim.corp_id, claim.key))
            if row is not None:
                found.append(Query(claim, row["mall_id"], row["kind"], row["sealed"]))
        return found

    async def call(self, item: Query) -> Query:
        corp_id = item.claim.corp_id
        try:
            value = self._sealer.open(corp_id, item.sealed)
            return replace(item, names=await self._book.who(corp_id, item.mall_id, item.kind, value))
        except MallAway as error:
            log.warning("buyer_query_waits", corp_id=corp_id, mall_id=item.mall_id, error=str(error))
            return replace(item, again=item.claim.attempts < MOST_ATTEMPTS)
        except MallRefused as error:
            log.warning("buyer_unknown", corp_id=corp_id, mall_id=item.mall_id, error=str(error))
            return item

    async def settle(self, outcomes: Sequence[Query]) -> None:
        now = datetime.now(UTC)
        async with self._outbox.transaction() as tx:
            # The link is as old as the buyer's first order, whenever it was asked for: what people follow from it
            # must not depend on when a mall answered.
            named = [(item.claim.corp_id, item.claim.key) for item in outcomes if item.names]
            firsts = await db.first_orders(tx.connection, named)
            identified = []
            for item in outcomes:
                corp_id = item.claim.corp_id
                scope = partial(self._scope_of, corp_id, item.mall_id)
                others = [
                    self._identifiers.name(corp_id, kind, value, scope(kind))
                    for kind, value in sorted(item.names.items())
                ]
                found = [Identifier(kind=item.kind, id=item.claim.key, sealed=item.sealed, scope=scope(item.kind))]
                found += [
                    Identifier(kind=name.kind, id=name.id, sealed=name.sealed, scope=name.scope)
                    for name in others
                    if name
                ]
                if len(found) > 1:
                    at = firsts.get((corp_id, item.claim.key), now)
                    fact = BuyerIdentified(corp_id=corp_id, mall_id=item.mall_id, identifiers=found, at=stamp(at))
                    tx.publish(fact, corp_id=corp_id)
                    identified.append((corp_id, item.claim.key, at))
            await db.save_identified(tx.connection, identified)
            await scheduled.finish(
                tx.connection,
                KIND,
                [(item.claim, f"{len(item.names)} other names") for item in outcomes if not item.again],
            )
            await scheduled.postpone(
                tx.connection,
                KIND,
                [
                    (item.claim, now + PATIENCE * 2 ** min(item.claim.attempts - 1, MOST_DOUBLINGS))
                    for item in outcomes
                    if item.again
                ],
            )
