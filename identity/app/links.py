"""What links identifiers to one person, and what people declare against it."""

from __future__ import annotations

from collections.abc import Sequence

from uuid_utils import uuid7

from chassis.errors import AlreadyExists, Invalid, NotFound
from chassis.outbox import Outbox, Tx
from chassis.pool import Row
from identity.app.customers import judge
from identity.db import evidence, identifiers, policies
from identity.db import separations as db
from identity.domain.customers import Pair


class Links:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def separate(self, tx: Tx, corp_id: str, one: str, other: str, note: str, by: str) -> Row:
        """Parts two identifiers, or customers by their strongest identifiers. Raises NotFound, Invalid for one and the
        same, AlreadyExists."""
        a, b = await self._strongest(tx, corp_id, one, "one"), await self._strongest(tx, corp_id, other, "other")
        if a == b:
            raise Invalid("SAME_IDENTIFIER", field="other", expected="another identifier, or another customer")
        pair = (min(a, b), max(a, b))
        row = await db.add(tx.connection, corp_id, str(uuid7()), pair, note, by)
        if row is None:
            raise AlreadyExists("ALREADY_SEPARATED", field="other")
        await judge(tx, corp_id, pair)
        return row

    async def undo(self, corp_id: str, separation_id: str, by: str) -> Row:
        """Raises NotFound."""
        async with self._outbox.transaction() as tx:
            row = await db.undo(tx.connection, corp_id, separation_id, by)
            if row is None:
                raise NotFound("SEPARATION_NOT_FOUND", field="separationId")
            await judge(tx, corp_id, (row["a_id"], row["b_id"]))
            return row

    async def page(self, corp_id: str, before: str | None, limit: int) -> Sequence[Row]:
        async with self._outbox.pool.acquire() as connection:
            return await db.page(connection, corp_id, before, limit)

    async def evidence_of(self, corp_id: str, customer_id: str) -> Sequence[Row]:
        async with self._outbox.pool.acquire() as connection:
            return await evidence.of_customer(connection, corp_id, customer_id)

    async def set_revoked(self, corp_id: str, pair: Pair, source: str, by: str | None) -> Row:
        """By None: it counts again. Raises NotFound for a source that has never linked the two."""
        found: list[Row | None] = []
        async with self._outbox.transaction() as tx:

            async def write() -> None:
                found.append(await evidence.set_revoked(tx.connection, corp_id, pair, source, by))

            if len(await identifiers.known_identifiers(tx.connection, corp_id, pair)) == 2:
                await judge(tx, corp_id, pair, write)
            row = found[-1] if found else None
            if row is None:
                raise NotFound("EVIDENCE_NOT_FOUND", field="source", expected="a source that links the two")
            return row

    async def _strongest(self, tx: Tx, corp_id: str, named: str, field: str) -> str:
        found = await db.identifiers_named(tx.connection, corp_id, named)
        if not found:
            raise NotFound("IDENTIFIER_NOT_FOUND", field=field, expected="the id of an identifier or of a customer")
        own = await policies.of_corp(tx.connection, corp_id)
        strongest: str = min(found, key=lambda row: (own.of(row["kind"]).priority, row["identifier_id"]))[
            "identifier_id"
        ]
        return strongest
